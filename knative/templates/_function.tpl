{{/*
One function's Knative Service: its file in services/, merged with values. Takes root and name, returns YAML.
With default values it equals the file, except for labels, the image's name, a service account, the configuration's checksum and the CA of
the embedded database.
*/}}
{{- define "todo.function" -}}
{{- $root := .root }}
{{- $values := index $root.Values.functions .name | default dict }}
{{- $service := $root.Files.Get (printf "services/%s.yaml" .name) | fromYaml }}
{{- $template := $service.spec.template }}
{{- $container := first $template.spec.containers }}
{{- $_ := mergeOverwrite $service.metadata.labels (include "todo.labels" $root | fromYaml) }}
{{- $_ := mergeOverwrite $template.metadata.annotations (include "todo.scale" (dict "scale" ($values.scale | default dict) "annotations" $template.metadata.annotations) | fromYaml) }}
{{- include "todo.fitActivation" $template.metadata.annotations }}
{{- range $key := $template.metadata.annotations | keys }}
  {{- if not (index $template.metadata.annotations $key) }}{{ $_ := unset $template.metadata.annotations $key }}{{ end }}
{{- end }}
{{- $_ := set $template.metadata.annotations "todo/configuration" (include "todo.configuration" $root | sha256sum | trunc 16) }}
{{- $_ := set $container "image" (include "todo.image" .) }}
{{- $_ := set $container "resources" (mergeOverwrite $container.resources ($values.resources | default dict)) }}
{{- $_ := set $container "env" (include "todo.env" (dict "env" $container.env "extra" (merge (dict) ($values.extraEnv | default dict) (include "todo.ownEnv" . | fromYaml))) | fromYamlArray) }}
{{- if $root.Values.serviceAccounts.create }}{{ $_ := set $template.spec "serviceAccountName" (printf "todo-%s" .name) }}{{ end }}
{{- with include "todo.pullSecrets" $root }}{{ $_ := set $template.spec "imagePullSecrets" (fromYamlArray .) }}{{ end }}
{{- with include "todo.databaseCa" $root }}
  {{- $_ := set $container "volumeMounts" (append ($container.volumeMounts | default list) (dict "name" "database-ca" "mountPath" "/etc/todo/database-ca" "readOnly" true)) }}
  {{- $_ := set $template.spec "volumes" (append ($template.spec.volumes | default list) (dict "name" "database-ca" "secret" (dict "secretName" .))) }}
{{- end }}
{{- if $root.Values.spreadOverNodes }}{{ $_ := set $template.spec "topologySpreadConstraints" (include "todo.spread" .name | fromYamlArray) }}{{ end }}
{{- toYaml $service }}
{{- end }}

{{/* Environment variables that have a value of their own in values.yaml. */}}
{{- define "todo.ownEnv" -}}
{{- if eq .name "chat" }}
  {{- with .root.Values.openai.baseUrl }}
OPENAI_BASE_URL: {{ . | quote }}
  {{- end }}
  {{- with .root.Values.openai.model }}
OPENAI_MODEL: {{ . | quote }}
  {{- end }}
{{- else if eq .name "auth" }}
  {{- with .root.Values.trustedProxies }}
TRUSTED_PROXIES: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The file's variables that values do not override, then the overrides. */}}
{{- define "todo.env" -}}
{{- $extra := .extra }}
{{- range .env }}
  {{- if not (hasKey $extra .name) }}
- {{ toJson . }}
  {{- end }}
{{- end }}
{{- range $name, $value := $extra }}
- {{ if kindIs "map" $value }}{{ dict "name" $name "valueFrom" $value | toJson }}{{ else }}{{ dict "name" $name "value" (include "todo.text" $value) | toJson }}{{ end }}
{{- end }}
{{- end }}

{{/* Annotations for `scale`; an empty one is removed. The HPA scales by CPU or memory, never to zero, and has no window. */}}
{{- define "todo.scale" -}}
{{- $prefix := "autoscaling.knative.dev/" }}
{{- $names := dict "min" "min-scale" "max" "max-scale" "target" "target" "metric" "metric" "window" "window" "activation" "activation-scale" "retention" "scale-to-zero-pod-retention-period" "scaleDownDelay" "scale-down-delay" "burst" "target-burst-capacity" "utilization" "target-utilization-percentage" }}
{{- $annotations := dict }}
{{- range $key, $name := $names }}
  {{- if hasKey $.scale $key }}{{ $_ := set $annotations (print $prefix $name) (include "todo.text" (index $.scale $key)) }}{{ end }}
{{- end }}
{{- with .scale.class }}{{ $_ := set $annotations (print $prefix "class") (printf "%s.autoscaling.knative.dev" .) }}{{ end }}
{{- if eq (.scale.class | default "kpa") "hpa" }}
  {{- range list "window" "activation-scale" "scale-to-zero-pod-retention-period" "scale-down-delay" "target-burst-capacity" "target-utilization-percentage" }}
    {{- $_ := set $annotations (print $prefix .) "" }}
  {{- end }}
  {{- $_ := set $annotations (print $prefix "min-scale") (max 1 (.scale.min | default 1 | int) | toString) }}
{{- end }}
{{- toYaml $annotations }}
{{- end }}

{{/* Removes an activation-scale outside of min and max, which Knative would refuse. */}}
{{- define "todo.fitActivation" -}}
{{- $key := "autoscaling.knative.dev/activation-scale" }}
{{- with index . $key | int }}
  {{- $min := index $ "autoscaling.knative.dev/min-scale" | int }}
  {{- $max := index $ "autoscaling.knative.dev/max-scale" | int }}
  {{- if or (lt $max .) (gt $min .) }}{{ $_ := unset $ $key }}{{ end }}
{{- end }}
{{- end }}

{{/* Prefers different nodes for the pods of a revision. Needs kubernetes.podspec-topologyspreadconstraints in config-features. */}}
{{- define "todo.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      serving.knative.dev/service: {{ . }}
{{- end }}

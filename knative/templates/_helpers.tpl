{{/* Shared helpers. Object names are fixed: one release a namespace. */}}

{{- define "todo.labels" -}}
app.kubernetes.io/part-of: todo-backend
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The functions: one file each in services/. A JSON object with a list, because templates return only text. */}}
{{- define "todo.names" -}}
{{- $names := list }}
{{- range $path, $_ := .Files.Glob "services/*.yaml" }}{{ $names = append $names (base $path | trimSuffix ".yaml") }}{{ end }}
{{- dict "names" $names | toJson }}
{{- end }}

{{/* An image reference. Takes root and the function's name. A digest takes precedence over a tag. */}}
{{- define "todo.image" -}}
{{- $own := index .root.Values.functions .name | default dict }}
{{- $image := .root.Values.image }}
{{- $repository := printf "%s/todo-%s" $image.registry .name }}
{{- if $own.digest }}{{ $repository }}@{{ $own.digest }}{{ else }}{{ $repository }}:{{ $own.tag | default $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "todo.pullSecrets" -}}
{{- range .Values.image.pullSecrets }}
- name: {{ . }}
{{- end }}
{{- end }}

{{/* The Secret with the ca.crt of the database's private CA. Empty if it has none, because a volume costs each start up to 0.1 s. */}}
{{- define "todo.databaseCa" -}}
{{- if or (eq .Values.database.mode "embedded") .Values.database.external.ca }}todo-database-ca{{ else }}{{ .Values.database.external.caSecret }}{{ end }}
{{- end }}

{{/* A value as text. Helm reads numbers as floats and would print 25000000 as 2.5e+07. */}}
{{- define "todo.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{/* The host name of a function inside the cluster. Takes root and name. */}}
{{- define "todo.host" -}}
{{ .name }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{/* For our pods that are not functions: the Pod Security Standard "restricted". Takes the user's id. */}}
{{- define "todo.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- define "todo.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
{{- end }}

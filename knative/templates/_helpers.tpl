{{/* What is written down more than once. Names are fixed: one release a namespace. */}}

{{- define "todo.labels" -}}
app.kubernetes.io/part-of: todo-backend
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The functions: one file in services/ each. A JSON object with a list, as templates return text only. */}}
{{- define "todo.names" -}}
{{- $names := list }}
{{- range $path, $_ := .Files.Glob "services/*.yaml" }}{{ $names = append $names (base $path | trimSuffix ".yaml") }}{{ end }}
{{- dict "names" $names | toJson }}
{{- end }}

{{/* An image. Takes root and the function's name; a digest counts before a tag. */}}
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

{{/* The Secret with the ca.crt of the database's own CA; empty when the database has none: a volume costs each start up to 0.1 s. */}}
{{- define "todo.databaseCa" -}}
{{- if or (eq .Values.database.mode "embedded") .Values.database.external.ca }}todo-database-ca{{ else }}{{ .Values.database.external.caSecret }}{{ end }}
{{- end }}

{{/* A value as text. Helm reads numbers as floating ones, and would write 25000000 as 2.5e+07. */}}
{{- define "todo.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{/* The address of a function inside of the cluster. Takes root and name. */}}
{{- define "todo.host" -}}
{{ .name }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{/* Pods of our own beside the functions: the Pod Security Standard "restricted". Takes the user's id. */}}
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

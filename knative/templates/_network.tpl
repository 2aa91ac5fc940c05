{{/* Selects our pods with one of these names; all of them when none is given. */}}
{{- define "todo.pods" -}}
matchLabels:
  app.kubernetes.io/part-of: todo-backend
{{- with . }}
matchExpressions:
  - key: app.kubernetes.io/name
    operator: In
    values: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "todo.namespaces" -}}
- namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{ toJson . }}
{{- end }}

{{/* The port of a URL. */}}
{{- define "todo.port" -}}
{{- $url := urlParse . }}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (eq $url.scheme "http" | ternary "80" "443") }}
{{- end }}

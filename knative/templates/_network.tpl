{{/* Selects our pods with one of these names; all our pods if the list is empty. */}}
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

{{/* The Service of Knative's cluster-local gateway, which routes by the functions' names in the cluster: Kourier's, or net-istio's with Istio. */}}
{{- define "todo.knativeGateway" -}}
{{- $istio := eq .Values.ingress.type "istio" }}
{{- with .Values.ingress.knativeGateway -}}
service: {{ .service | default ($istio | ternary "knative-local-gateway" "kourier-internal") }}
namespace: {{ .namespace | default ($istio | ternary "istio-system" "kourier-system") }}
port: {{ .port }}
{{- end }}
{{- end }}

{{/* The environment variables of all functions that are not secret. */}}
{{- define "todo.config" -}}
{{- $ingress := eq .Values.ingress.type "none" | ternary "" (printf "https://%s" .Values.ingress.host) -}}
CORS_ORIGINS: {{ join "," .Values.corsOrigins | quote }}
PUBLIC_URL: {{ .Values.publicUrl | default $ingress | quote }}
{{- with .Values.betterAuth }}
BETTER_AUTH_ISSUER: {{ .issuer | quote }}
BETTER_AUTH_JWKS_URL: {{ .jwksUrl | quote }}
BETTER_AUTH_AUDIENCE: {{ .audience | quote }}
{{- end }}
{{- range $name, $value := .Values.config }}
{{ $name }}: {{ include "todo.text" $value | quote }}
{{- end }}
{{- end }}

{{/* Any change here starts new revisions, because pods read it only when they start. It contains secrets: publish only its checksum. */}}
{{- define "todo.configuration" -}}
{{- include "todo.config" . }}
{{ toJson (list .Values.auth .Values.openai .Values.database.mode .Values.database.external .Values.rollout) }}
{{- end }}

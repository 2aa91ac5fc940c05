{{/* What every function reads from its environment and is no secret. */}}
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

{{/* A change of any of this starts new revisions: pods read it when they start, and never again. Holds secrets: only its checksum may be seen. */}}
{{- define "todo.configuration" -}}
{{- include "todo.config" . }}
{{ toJson (list .Values.auth .Values.openai .Values.database.mode .Values.database.external .Values.rollout) }}
{{- end }}

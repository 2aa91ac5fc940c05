{{/* Fails, with the numbers, if the functions could open more connections than the database grants. tools/connections.ts has the same sum. */}}
{{- define "todo.checkConnections" -}}
{{- $granted := int .Values.database.connections }}
{{- $sum := 0 }}
{{- $lines := list }}
{{- range $name := (include "todo.names" . | fromJson).names }}
  {{- $template := (include "todo.function" (dict "root" $ "name" $name) | fromYaml).spec.template }}
  {{- $pods := index $template.metadata.annotations "autoscaling.knative.dev/max-scale" | int }}
  {{- $pool := 0 }}
  {{- range (first $template.spec.containers).env }}{{ if eq .name "DATABASE_POOL_SIZE" }}{{ $pool = int .value }}{{ end }}{{ end }}
  {{- if lt $pool 1 }}{{ fail (printf "services/%s.yaml: DATABASE_POOL_SIZE is not set" $name) }}{{ end }}
  {{- if lt $pods 1 }}{{ fail (printf "functions.%s.scale.max: 0 means no limit, so its database connections would have none either" $name) }}{{ end }}
  {{- $sum = add $sum (mul $pods $pool) }}
  {{- $lines = append $lines (printf "%s %d x %d" $name $pods $pool) }}
{{- end }}
{{- /* During a rollout the old and the new revision may both run at max-scale. A migration takes three more. */}}
{{- $needed := add (mul 2 $sum) 3 }}
{{- if gt $needed $granted }}
  {{- fail (printf "Up to %d connections to the database, which grants %d (database.connections). Pods times pool size: %s = %d; twice that in a rollout, and 3 for a migration. Lower functions.<name>.scale.max or extraEnv.DATABASE_POOL_SIZE, or use a pooler." $needed $granted (join ", " $lines) $sum) }}
{{- end }}
{{- end }}

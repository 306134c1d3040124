{{/* Up at all; and, where there are scripts, whether they have run. */}}
{{- define "floci.ready" -}}
{{- if .Values.scripts -}}
exec:
  command:
    - sh
    - -c
    - curl -s -f http://127.0.0.1:4566/_floci/init | tr -d '[:space:]' | grep -q '"ready":true'
{{- else -}}
httpGet:
  path: /_floci/health
  port: aws
{{- end }}
{{- end }}

{{- define "redis.config" -}}
dir /data
protected-mode no
{{- range $name, $value := .Values.config }}
{{ $name }} {{ include "kilter.scalar" $value }}
{{- end }}
{{- end }}

{{- define "redis.ready" -}}
- sh
- -c
- redis-cli ping | grep -q PONG
{{- end }}

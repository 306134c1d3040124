{{- define "valkey.config" -}}
dir /data
protected-mode no
{{- range $name, $value := .Values.config }}
{{ $name }} {{ include "kilter.scalar" $value }}
{{- end }}
{{- end }}

{{- define "valkey.ready" -}}
- sh
- -c
- valkey-cli ping | grep -q PONG
{{- end }}

{{- define "rabbitmq.config" -}}
log.console = true
{{- range $name, $value := .Values.config }}
{{ $name }} = {{ include "kilter.scalar" $value }}
{{- end }}
{{- end }}

{{/* The server's configuration; its format, YAML, takes JSON. */}}
{{- define "chroma.config" -}}
{{- mergeOverwrite (dict "persist_path" "/data") .Values.config | toPrettyJson }}
{{- end }}

{{/* The server's configuration; its format takes JSON, and of a setting that is given twice the last counts. */}}
{{- define "nats.config" -}}
{{- $own := dict "port" 4222 "http_port" 8222 "server_name" .Release.Name "jetstream" (dict "store_dir" "/data") }}
{{- mergeOverwrite $own .Values.config | toPrettyJson }}
{{- end }}

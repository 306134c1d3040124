{{/* A file of config.d, as JSON, which is YAML too: `toYaml` would write large numbers with an exponent. */}}
{{- define "clickhouse.config" -}}
{{- $logger := dict "level" "information" "console" "1" "size" "10M" "count" "1" -}}
{{- mergeOverwrite (dict "logger" $logger) (deepCopy .Values.config) | toPrettyJson }}
{{- end }}

{{/* What is made true at each start of the server. */}}
{{- define "clickhouse.start" -}}
CREATE DATABASE IF NOT EXISTS `{{ .Values.auth.database | replace "\\" "\\\\" | replace "`" "\\`" }}`;
{{- end }}

{{/* The server's settings, as the environment that the image hands on to it. */}}
{{- define "elasticsearch.settings" -}}
discovery.type: single-node
node.store.allow_mmap: "false"
cluster.routing.allocation.disk.threshold_enabled: "false"
ingest.geoip.downloader.enabled: "false"
xpack.security.enabled: {{ empty .Values.auth.password | not | quote }}
xpack.security.autoconfiguration.enabled: "false"
xpack.security.http.ssl.enabled: "false"
{{- range $name, $value := .Values.config }}
{{ $name | quote }}: {{ include "kilter.scalar" $value | quote }}
{{- end }}
{{- end }}

{{/* A file of curl's that logs in; a backslash begins an escape in it. */}}
{{- define "elasticsearch.client" -}}
user = "elastic:{{ .Values.auth.password | replace "\\" "\\\\" | replace "\"" "\\\"" | replace "\n" "\\n" }}"
{{- end }}

{{/* That the node has a cluster, knows the user, and has all that was stored. */}}
{{- define "elasticsearch.ready" -}}
exec:
  command:
    - curl
    - --config
    - /kilter/curl.conf
    - --fail
    - --silent
    - --show-error
    - --output
    - /dev/null
    - http://127.0.0.1:9200/_cluster/health?wait_for_status=yellow&timeout=5s
{{- end }}

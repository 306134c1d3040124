{{/* The server's settings, as the environment that the image hands on to it, and what the image itself reads. */}}
{{- define "opensearch.settings" -}}
discovery.type: single-node
node.store.allow_mmap: "false"
cluster.routing.allocation.disk.threshold_enabled: "false"
DISABLE_INSTALL_DEMO_CONFIG: "true"
DISABLE_SECURITY_PLUGIN: "true"
DISABLE_PERFORMANCE_ANALYZER_AGENT_CLI: "true"
OPENSEARCH_JAVA_OPTS: -Xms512m -Xmx512m
{{- range $name, $value := .Values.config }}
{{ $name | quote }}: {{ include "kilter.scalar" $value | quote }}
{{- end }}
{{- end }}

{{/* That the node has a cluster, and all that was stored. */}}
{{- define "opensearch.ready" -}}
httpGet:
  path: /_cluster/health?wait_for_status=yellow&timeout=5s
  port: http
{{- end }}

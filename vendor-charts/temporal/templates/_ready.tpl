{{/* The frontend's own health check, the one that `temporal operator cluster health` asks for. */}}
{{- define "temporal.ready" -}}
grpc:
  port: 7233
  service: temporal.api.workflowservice.v1.WorkflowService
{{- end }}

{{/* The processes of the project as a list of {name, container, role, image, command, port, env, health, resources}: the app, then its components. A component has the
     environment of the app, but for the app's PORT, under its own. */}}
{{- define "dev-app.processes" -}}
{{- $app := dict "name" .Release.Name "container" "app" "role" "app" "image" .Values.image "command" .Values.command "env" .Values.env "port" .Values.port "health" .Values.health "resources" .Values.resources }}
{{- $processes := list $app }}
{{- range .Values.components }}
{{- $process := dict "name" (printf "%s-%s" $.Release.Name .name) "container" .name "role" "component" "image" (.image | default $.Values.image) "command" (.command | default list) }}
{{- $_ := set $process "env" (mergeOverwrite (dict) (omit $.Values.env "PORT") (.env | default dict)) }}
{{- $_ := set $process "port" .port }}
{{- $_ := set $process "resources" (.resources | default $.Values.resources) }}
{{- $processes = append $processes $process }}
{{- end }}
{{- toJson $processes }}
{{- end }}

{{/* Labels that select the pods of one process. */}}
{{- define "dev-app.selector" -}}
app.kubernetes.io/name: dev-app
app.kubernetes.io/instance: {{ .name | quote }}
{{- end }}

{{/* Name, namespace and labels of an object of one process: `list $ process "suffix"`. */}}
{{- define "dev-app.metadata" -}}
{{- $root := index . 0 }}
{{- $process := index . 1 -}}
name: {{ printf "%s%s" $process.name (index . 2) | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "dev-app.selector" $process | nindent 2 }}
  app.kubernetes.io/component: {{ $process.role }}
  app.kubernetes.io/managed-by: kilter
  {{- with $root.Values.partOf }}
  app.kubernetes.io/part-of: {{ . | quote }}
  {{- end }}
{{- end }}

{{/* What says that a process is ready. */}}
{{- define "dev-app.ready" -}}
{{- if .health -}}
httpGet:
  path: {{ .health | quote }}
  port: http
{{- else -}}
tcpSocket:
  port: http
{{- end }}
{{- end }}

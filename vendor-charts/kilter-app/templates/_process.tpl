{{/* The processes as a list of {name, container, image, command, env, port, health, replicas, public}: the app, then its components. A component has the environment of the app,
     but for its PORT, under its own. */}}
{{- define "kilter-app.processes" -}}
{{- $env := mergeOverwrite (dict "PORT" (.Values.port | int64 | toString)) .Values.variables }}
{{- $app := dict "name" .Values.app "container" "app" "image" .Values.image "command" .Values.command "env" $env "port" .Values.port "health" .Values.health }}
{{- $_ := set $app "replicas" .Values.replicas }}
{{- $_ := set $app "public" .Values.public }}
{{- $processes := list $app }}
{{- range .Values.components }}
{{- $process := dict "name" (printf "%s-%s" $.Values.app .name) "container" .name "image" (.image | default $.Values.image) "command" (.command | default list) "health" "" "replicas" 1 }}
{{- $port := empty .port | ternary (dict) (dict "PORT" (.port | int64 | toString)) }}
{{- $_ := set $process "env" (mergeOverwrite (dict) (omit $.Values.variables "PORT") $port (.variables | default dict)) }}
{{- $_ := set $process "port" .port }}
{{- $_ := set $process "public" (and $.Values.public (not (and (empty .hostnames) (empty .path)))) }}
{{- $processes = append $processes $process }}
{{- end }}
{{- toJson $processes }}
{{- end }}

{{/* Labels that select the pods of one process; they never change. */}}
{{- define "kilter-app.selector" -}}
app.kubernetes.io/name: {{ .name | quote }}
app.kubernetes.io/component: {{ .container | quote }}
{{- end }}

{{/* Labels of everything of the app, pods included. */}}
{{- define "kilter-app.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: kilter
app.kubernetes.io/part-of: {{ .Values.app | quote }}
kilter.netshire.com/app: {{ .Values.app | quote }}
kilter.netshire.com/env: {{ .Values.env | quote }}
kilter.netshire.com/org: {{ .Values.org | quote }}
{{- end }}

{{/* Name, namespace and labels of an object: `list $ "name"`, or of a process: `list $ "name" $process`. */}}
{{- define "kilter-app.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- if eq (len .) 3 }}
  {{- include "kilter-app.selector" (index . 2) | nindent 2 }}
  {{- else }}
  app.kubernetes.io/name: {{ $root.Values.app | quote }}
  {{- end }}
  {{- include "kilter-app.labels" $root | nindent 2 }}
  kilter.netshire.com/revision: {{ $root.Values.revision | int64 | toString | quote }}
{{- end }}

{{/* Settings of every pod. */}}
{{- define "kilter-app.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {}
{{- end }}

{{/* What every container of the app's own image has: `list $ image command env`. */}}
{{- define "kilter-app.container" -}}
{{- $root := index . 0 -}}
image: {{ index . 1 | quote }}
imagePullPolicy: IfNotPresent
{{- with index . 2 }}
command:
  {{- include "kilter.words" . | nindent 2 }}
{{- end }}
{{- with index . 3 }}
env:
  {{- include "kilter.env" . | nindent 2 }}
{{- end }}
{{- with $root.Values.secrets }}
envFrom:
  {{- range . }}
  - secretRef:
      name: {{ .name | quote }}
  {{- end }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: {{ $root.Values.security.readOnlyRoot }}
  capabilities:
    drop:
      - ALL
resources:
  {{- include "kilter-app.resources" $root.Values.resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end }}

{{/* What is said, and usual amounts of what is not spoken of. Where only the request or only the limit of a resource is said there is no usual other: the API server refuses a
     limit below its request. */}}
{{- define "kilter-app.resources" -}}
{{- $requests := .requests | default dict }}
{{- $limits := .limits | default dict }}
{{- if not (or (hasKey $requests "cpu") (hasKey $limits "cpu")) }}
{{- $requests = mergeOverwrite (dict "cpu" "100m") $requests }}
{{- end }}
{{- if not (or (hasKey $requests "memory") (hasKey $limits "memory")) }}
{{- $requests = mergeOverwrite (dict "memory" "128Mi") $requests }}
{{- $limits = mergeOverwrite (dict "memory" "512Mi") $limits }}
{{- end }}
{{- $amounts := dict }}
{{- with $requests }}{{ $_ := set $amounts "requests" . }}{{ end }}
{{- with $limits }}{{ $_ := set $amounts "limits" . }}{{ end }}
{{- toYaml $amounts }}
{{- end }}

{{/* What says that a process serves. */}}
{{- define "kilter-app.serves" -}}
{{- if .health -}}
httpGet:
  path: {{ .health | quote }}
  port: http
{{- else -}}
tcpSocket:
  port: http
{{- end }}
timeoutSeconds: 5
{{- end }}

{{/* A rule of a route to a process: `list process path`. */}}
{{- define "kilter-app.rule" -}}
{{- $process := index . 0 -}}
matches:
  - path:
      type: PathPrefix
      value: {{ index . 1 | quote }}
backendRefs:
  - name: {{ $process.name | quote }}
    port: {{ $process.port | int }}
{{- end }}

{{/* The Gateway that a route attaches to. */}}
{{- define "kilter-app.parents" -}}
- group: gateway.networking.k8s.io
  kind: Gateway
  name: {{ .Values.gateway.name | quote }}
  namespace: {{ .Values.gateway.namespace | quote }}
  {{- with .Values.gateway.section }}
  sectionName: {{ . | quote }}
  {{- end }}
{{- end }}

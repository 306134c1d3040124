{{/* The same in every chart; a test compares the copies. A dollar sign is doubled wherever the kubelet would expand it. */}}

{{- define "kilter.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "kilter.labels" -}}
{{ include "kilter.selector" . }}
app.kubernetes.io/managed-by: kilter
{{- with .Values.partOf }}
app.kubernetes.io/part-of: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Name, namespace and labels of an object: `list $` for the release itself, `list $ "auth"` for `<release>-auth`. */}}
{{- define "kilter.metadata" -}}
{{- $root := first . -}}
name: {{ prepend (rest .) $root.Release.Name | join "-" | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "kilter.labels" $root | nindent 2 }}
{{- end }}

{{/* The Service of the release, with the named ports of `.Values.ports`: `list $ (list "main" …)`. */}}
{{- define "kilter.service" -}}
{{- $root := first . -}}
{{- $names := last . -}}
{{- $nodePorts := pick $root.Values.nodePorts -}}
{{- range $name := $names }}
{{- with get $root.Values.nodePorts $name }}{{ $_ := set $nodePorts $name . }}{{ end }}
{{- end -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "kilter.metadata" (list $root) | nindent 2 }}
spec:
  type: {{ empty $nodePorts | ternary "ClusterIP" "NodePort" }}
  selector:
    {{- include "kilter.selector" $root | nindent 4 }}
  ports:
    {{- range $name := $names }}
    - name: {{ $name | quote }}
      port: {{ get $root.Values.ports $name | int }}
      targetPort: {{ $name | quote }}
      protocol: TCP
      {{- with get $nodePorts $name }}
      nodePort: {{ . | int }}
      {{- end }}
    {{- end }}
{{- end }}

{{/* A map as the `env` list of a container, taken literally. */}}
{{- define "kilter.env" -}}
{{- $lines := list }}
{{- range $name, $value := . }}
{{- $value = $value | toString | replace "$" "$$" | quote }}
{{- $lines = append $lines (printf "- name: %s\n  value: %s" (quote $name) $value) }}
{{- end }}
{{- join "\n" $lines }}
{{- end }}

{{/* A list of words as `command` or `args`, taken literally. */}}
{{- define "kilter.words" -}}
{{- $lines := list }}
{{- range . }}
{{- $lines = append $lines (printf "- %s" (. | toString | replace "$" "$$" | quote)) }}
{{- end }}
{{- join "\n" $lines }}
{{- end }}

{{/* A setting as text; numbers keep their digits. */}}
{{- define "kilter.scalar" -}}
{{ kindIs "string" . | ternary . (toJson .) }}
{{- end }}

{{/* Pod settings of an image that runs as the given user and group id. */}}
{{- define "kilter.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "kilter.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
      - ALL
{{- end }}

{{/* The volume claim `data`; nothing here may ever change, because the API server refuses to change it. */}}
{{- define "kilter.claim" -}}
- metadata:
    name: data
    labels:
      {{- include "kilter.selector" . | nindent 6 }}
  spec:
    accessModes:
      - ReadWriteOnce
    {{- with .Values.storage.className }}
    storageClassName: {{ . | quote }}
    {{- end }}
    resources:
      requests:
        storage: {{ .Values.storage.size | quote }}
{{- end }}

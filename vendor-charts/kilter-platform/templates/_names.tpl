{{/* Name, namespace and labels: `list $ "name"`. */}}
{{- define "kilter-platform.metadata" -}}
name: {{ index . 1 | quote }}
namespace: {{ (index . 0).Release.Namespace | quote }}
{{ include "kilter-platform.labels" (index . 1) }}
{{- end }}

{{/* The same of an object without a namespace. */}}
{{- define "kilter-platform.cluster" -}}
name: {{ . | quote }}
{{ include "kilter-platform.labels" . }}
{{- end }}

{{- define "kilter-platform.labels" -}}
labels:
  app.kubernetes.io/name: {{ . | quote }}
  app.kubernetes.io/part-of: kilter-platform
{{- end }}

{{/* Binds a ServiceAccount to a ClusterRole of its name: `list $ "name"`. */}}
{{- define "kilter-platform.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  {{- include "kilter-platform.cluster" (index . 1) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ index . 1 | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ index . 1 | quote }}
    namespace: {{ (index . 0).Release.Namespace | quote }}
{{- end }}

{{/* The same for a Role of the namespace. */}}
{{- define "kilter-platform.rolebinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "kilter-platform.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ index . 1 | quote }}
subjects:
  - kind: ServiceAccount
    name: {{ index . 1 | quote }}
    namespace: {{ (index . 0).Release.Namespace | quote }}
{{- end }}

{{/* The settings file, as JSON: `platform`, with the server's own host name among those that no app may have. */}}
{{- define "kilter-platform.settings" -}}
{{- $reserved := .Values.platform.reservedHosts | default list }}
{{- with .Values.server.hostname }}{{ $reserved = append $reserved . | uniq }}{{ end }}
{{- mergeOverwrite (dict) .Values.platform (dict "reservedHosts" $reserved) | toJson }}
{{- end }}

{{- define "kilter-platform.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "kilter-platform.metadata" . | nindent 2 }}
{{- end }}

{{/* Security settings of both workloads' pods and containers. */}}
{{- define "kilter-platform.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "kilter-platform.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop:
      - ALL
{{- end }}

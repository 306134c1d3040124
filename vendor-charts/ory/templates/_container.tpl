{{/* Variables out of the Secret: `list $ (dict "DSN" "kratos-dsn")`. */}}
{{- define "ory.secrets" -}}
{{- $secret := printf "%s-auth" (first .).Release.Name | quote }}
{{- $lines := list }}
{{- range $name, $key := last . }}
{{- $lines = append $lines (printf "- name: %s\n  valueFrom:\n    secretKeyRef:\n      name: %s\n      key: %s" $name $secret $key) }}
{{- end }}
{{- join "\n" $lines }}
{{- end }}

{{/* What of a program's secrets goes into its environment. */}}
{{- define "ory.env" -}}
{{- $root := first . -}}
{{- $of := dict "kratos" (dict "DSN" "kratos-dsn" "SECRETS_COOKIE" "cookie" "SECRETS_CIPHER" "cipher") }}
{{- $_ := set $of "hydra" (dict "DSN" "hydra-dsn" "SECRETS_COOKIE" "cookie" "SECRETS_SYSTEM" "system") }}
{{- $_ := set $of "keto" (dict "DSN" "keto-dsn") }}
{{- include "ory.secrets" (list $root (get $of (last .))) }}
{{- end }}

{{/* An init container that brings a program's tables up to its version: `list $ "kratos" (list "sql" "up")`. */}}
{{- define "ory.migrate" -}}
{{- $root := first . -}}
{{- $program := index . 1 -}}
{{- $its := eq $program "kratos" | ternary $root.Values (get $root.Values $program) -}}
- name: {{ $program }}-migrate
  image: {{ $its.image | quote }}
  imagePullPolicy: {{ $root.Values.imagePullPolicy }}
  args:
    - migrate
    {{- range last . }}
    - {{ . }}
    {{- end }}
    - --yes
    - --config=/kilter/{{ $program }}.yaml
  env:
    {{- include "ory.env" (list $root $program) | nindent 4 }}
  {{- include "kilter.container" $root | nindent 2 }}
  resources:
    {{- toYaml $its.resources | nindent 4 }}
  volumeMounts:
    - name: config
      mountPath: /kilter
      readOnly: true
{{- end }}

{{/* Ports and probes: `list (dict "kratos" 4433 "kratos-admin" 4434) "kratos-admin" "/health/ready"`. */}}
{{- define "ory.ports" -}}
ports:
  {{- range $name, $port := first . }}
  - name: {{ $name }}
    containerPort: {{ $port }}
    protocol: TCP
  {{- end }}
startupProbe:
  httpGet:
    path: {{ last . }}
    port: {{ index . 1 }}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 120
readinessProbe:
  httpGet:
    path: {{ last . }}
    port: {{ index . 1 }}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* The database of the pod listens on its loopback alone; while the image prepares the data folder, on no port at all. */}}
{{- define "ory.database.ready" -}}
exec:
  command:
    - pg_isready
    - -q
    - -h
    - 127.0.0.1
    - -U
    - postgres
{{- end }}

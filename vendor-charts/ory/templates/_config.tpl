{{/* The programs that are on, and those of them that use the chart's own database. */}}
{{- define "ory.programs" -}}
{{- $on := list }}
{{- range list "kratos" "hydra" "keto" "oathkeeper" }}
{{- if (get $.Values .).enabled }}{{ $on = append $on . }}{{ end }}
{{- end }}
{{- if not $on }}{{ fail "every program of ory is off: switch one on under values, or remove the service" }}{{ end }}
{{- toJson $on }}
{{- end }}

{{- define "ory.owned" -}}
{{- $owned := list }}
{{- range without (include "ory.programs" . | fromJsonArray) "oathkeeper" }}
{{- if not (get $.Values .).dsn }}{{ $owned = append $owned . }}{{ end }}
{{- end }}
{{- toJson $owned }}
{{- end }}

{{/* The database of a program: `list $ "kratos"`. */}}
{{- define "ory.dsn" -}}
{{- $program := last . -}}
{{- (get (first .).Values $program).dsn | default (printf "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable" $program) }}
{{- end }}

{{/* A page of the app: `list $ "login"`. */}}
{{- define "ory.page" -}}
{{- printf "%s/%s" (trimSuffix "/" (first .).Values.appUrl) (last .) | quote }}
{{- end }}

{{- define "ory.kratos.schemas" -}}
{{- with .Values.kratos.schemas }}
{{- toJson . }}
{{- else }}
{{- toJson (dict "default" (include "ory.kratos.person" . | fromYaml)) }}
{{- end }}
{{- end }}

{{- define "ory.kratos.person" -}}
$schema: http://json-schema.org/draft-07/schema#
title: Person
type: object
properties:
  traits:
    type: object
    additionalProperties: false
    required:
      - email
    properties:
      email:
        type: string
        format: email
        title: Email address
        minLength: 3
        ory.sh/kratos:
          credentials:
            password:
              identifier: true
            code:
              identifier: true
              via: email
          verification:
            via: email
          recovery:
            via: email
      name:
        type: string
        title: Name
{{- end }}

{{- define "ory.kratos.own" -}}
{{- $schemas := include "ory.kratos.schemas" . | fromJson -}}
serve:
  public:
    base_url: {{ .Values.kratos.url | quote }}
    cors:
      enabled: true
      allowed_origins:
        - http://127.0.0.1*
        - http://localhost*
        {{- $app := urlParse .Values.appUrl }}
        {{- if $app.host }}
        - {{ printf "%s://%s" $app.scheme $app.host | quote }}
        {{- end }}
selfservice:
  default_browser_return_url: {{ .Values.appUrl | quote }}
  allowed_return_urls:
    - {{ .Values.appUrl | quote }}
  methods:
    password:
      enabled: true
      {{- /* It asks a service on the Internet about each password, and without a network tries for 15 s before it goes on. */}}
      config:
        haveibeenpwned_enabled: false
    code:
      enabled: true
  flows:
    error:
      ui_url: {{ include "ory.page" (list $ "error") }}
    login:
      ui_url: {{ include "ory.page" (list $ "login") }}
    registration:
      ui_url: {{ include "ory.page" (list $ "registration") }}
      after:
        password:
          hooks:
            - hook: session
    settings:
      ui_url: {{ include "ory.page" (list $ "settings") }}
    recovery:
      enabled: true
      use: code
      ui_url: {{ include "ory.page" (list $ "recovery") }}
    verification:
      enabled: true
      use: code
      ui_url: {{ include "ory.page" (list $ "verification") }}
identity:
  default_schema_id: {{ hasKey $schemas "default" | ternary "default" (keys $schemas | sortAlpha | first) | quote }}
  schemas:
    {{- range $id := keys $schemas | sortAlpha }}
    - id: {{ $id | quote }}
      url: {{ printf "file:///kilter/%s.schema.json" $id | quote }}
    {{- end }}
courier:
  smtp:
    connection_uri: {{ .Values.kratos.smtp | default (printf "smtp://mailpit.%s.svc:1025/?disable_starttls=true" .Release.Namespace) | quote }}
ciphers:
  algorithm: xchacha20-poly1305
{{- if .Values.hydra.enabled }}
oauth2_provider:
  url: http://127.0.0.1:4445
{{- end }}
{{- end }}

{{- define "ory.hydra.own" -}}
urls:
  self:
    issuer: {{ .Values.hydra.url | default (printf "http://%s.%s.svc:%d/" .Release.Name .Release.Namespace (int .Values.ports.hydra)) | quote }}
  login: {{ include "ory.page" (list $ "login") }}
  consent: {{ include "ory.page" (list $ "consent") }}
  logout: {{ include "ory.page" (list $ "logout") }}
{{- end }}

{{- define "ory.keto.own" -}}
namespaces:
  location: file:///kilter/namespaces.keto.ts
{{- end }}

{{- define "ory.oathkeeper.own" -}}
access_rules:
  repositories:
    - file:///kilter/rules.json
authenticators:
  noop:
    enabled: true
  anonymous:
    enabled: true
  unauthorized:
    enabled: true
  {{- if .Values.kratos.enabled }}
  cookie_session:
    enabled: true
    config:
      check_session_url: http://127.0.0.1:4433/sessions/whoami
      preserve_path: true
      preserve_query: false
      extra_from: "@this"
      subject_from: identity.id
      only:
        - ory_kratos_session
  {{- end }}
  {{- if .Values.hydra.enabled }}
  oauth2_introspection:
    enabled: true
    config:
      introspection_url: http://127.0.0.1:4445/admin/oauth2/introspect
  {{- end }}
authorizers:
  allow:
    enabled: true
  deny:
    enabled: true
  {{- if .Values.keto.enabled }}
  remote_json:
    enabled: true
    config:
      remote: http://127.0.0.1:4466/relation-tuples/check
      payload: "{}"
  {{- end }}
mutators:
  noop:
    enabled: true
  header:
    enabled: true
    config:
      headers:
        X-User: {{ "{{ print .Subject }}" | quote }}
errors:
  fallback:
    - json
  handlers:
    json:
      enabled: true
      config:
        verbose: true
{{- end }}

{{/* The files of /kilter, name → text. */}}
{{- define "ory.files" -}}
{{- $files := dict }}
{{- range include "ory.programs" . | fromJsonArray }}
{{- $own := include (printf "ory.%s.own" .) $ | fromYaml }}
{{- $_ := set $files (printf "%s.yaml" .) (mergeOverwrite $own (get $.Values .).config | toYaml) }}
{{- end }}
{{- if .Values.kratos.enabled }}
{{- range $id, $schema := include "ory.kratos.schemas" . | fromJson }}
{{- $_ := set $files (printf "%s.schema.json" $id) (toJson $schema) }}
{{- end }}
{{- end }}
{{- if .Values.keto.enabled }}{{ $_ := set $files "namespaces.keto.ts" .Values.keto.namespaces }}{{ end }}
{{- if .Values.oathkeeper.enabled }}{{ $_ := set $files "rules.json" (toJson .Values.oathkeeper.rules) }}{{ end }}
{{- toYaml $files }}
{{- end }}

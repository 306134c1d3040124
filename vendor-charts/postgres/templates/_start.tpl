{{/* What is made true at each start of the server: the password, and that the databases are there. */}}
{{- define "postgres.start" -}}
\set ON_ERROR_STOP on
ALTER ROLE CURRENT_USER PASSWORD :'password';
SELECT format('CREATE DATABASE %I', name)
FROM (VALUES
  {{- range $i, $name := prepend .Values.auth.databases .Values.auth.database | uniq }}
  {{- if $i }},{{ end }}
  ('{{ $name | replace "'" "''" }}')
  {{- end }}
) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name)
\gexec
{{- end }}

{{/* A query of the app's database; over TCP, on which the server listens only when it is prepared. */}}
{{- define "postgres.ready" -}}
- sh
- -c
- >-
  PGPASSWORD="$POSTGRES_PASSWORD" exec psql -X -q -w -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c 'SELECT 1'
{{- end }}

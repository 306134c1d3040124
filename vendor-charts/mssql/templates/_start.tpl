{{/* What is made true at each start of the server. */}}
{{- define "mssql.start" -}}
IF DB_ID(N'{{ .Values.auth.database | replace "'" "''" }}') IS NULL
  CREATE DATABASE [{{ .Values.auth.database | replace "]" "]]" }}];
{{- end }}

{{/* The call of sqlcmd, which reads the password from the environment; older images have it in another folder. */}}
{{- define "mssql.sqlcmd" -}}
export SQLCMDPASSWORD="$MSSQL_SA_PASSWORD" PATH="$PATH:/opt/mssql-tools18/bin:/opt/mssql-tools/bin"
sql() { sqlcmd -C -b -x -l 5 -S 127.0.0.1 -U sa "$@"; }
{{- end }}

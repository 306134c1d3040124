{{/* An option file that logs the client in; a backslash begins an escape in it. */}}
{{- define "mysql.client" -}}
[client]
user=root
password="{{ .Values.auth.password | replace "\\" "\\\\" | replace "\n" "\\n" }}"
{{- end }}

{{/* A query of the app's database; over TCP, on which the server listens only when it is prepared. */}}
{{- define "mysql.ready" -}}
- sh
- -c
- exec mysql --defaults-extra-file=/kilter/client.cnf -h 127.0.0.1 --database="$MYSQL_DATABASE" -e 'SELECT 1'
{{- end }}

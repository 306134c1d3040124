{{/* An option file that logs the client in; a backslash begins an escape in it. The server made its certificate itself. */}}
{{- define "mariadb.client" -}}
[client]
user=root
password="{{ .Values.auth.password | replace "\\" "\\\\" | replace "\n" "\\n" }}"
disable-ssl-verify-server-cert
{{- end }}

{{/* A query of the app's database; over TCP, on which the server listens only when it is prepared. */}}
{{- define "mariadb.ready" -}}
- sh
- -c
- exec mariadb --defaults-extra-file=/kilter/client.cnf -h 127.0.0.1 --database="$MARIADB_DATABASE" -e 'SELECT 1'
{{- end }}

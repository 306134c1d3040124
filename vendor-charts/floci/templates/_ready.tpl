{{/* Up at all; and, where there are scripts, whether they have run. */}}
{{- define "floci.ready" -}}
{{- if .Values.scripts -}}
exec:
  command:
    - bash
    - -c
    - |
      {{- /* The image has neither curl nor grep. */}}
      exec 3<>/dev/tcp/127.0.0.1/4566 || exit 1
      printf 'GET /_floci/init HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
      body=$(tr -d '[:space:]' <&3)
      [[ $body == *'"ready":true'* ]]
{{- else -}}
httpGet:
  path: /_floci/health
  port: aws
{{- end }}
{{- end }}

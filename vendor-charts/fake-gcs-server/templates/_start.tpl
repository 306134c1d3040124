{{/* Makes the bucket; the name is one that neither a shell nor JSON takes for something else. */}}
{{- define "fake-gcs-server.start" -}}
api=http://127.0.0.1:4443
until wget -q -O /dev/null "$api/_internal/healthcheck"; do sleep 0.5; done
wget -q -O /dev/null "$api/storage/v1/b/$KILTER_BUCKET" 2>/dev/null ||
  wget -q -O /dev/null --header 'Content-Type: application/json' --post-data "{\"name\": \"$KILTER_BUCKET\"}" "$api/storage/v1/b"
{{- end }}

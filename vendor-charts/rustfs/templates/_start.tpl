{{/* Makes the bucket. The keys reach curl through its standard input: an argument is there for every process to see. */}}
{{- define "rustfs.start" -}}
until curl -s -f -o /dev/null http://127.0.0.1:9000/health/ready; do sleep 0.5; done
printf 'user = "%s:%s"\n' "$RUSTFS_ACCESS_KEY" "$RUSTFS_SECRET_KEY" |
  curl -s -S -f -o /dev/null --retry 20 --retry-delay 1 -K - --aws-sigv4 "aws:amz:$RUSTFS_REGION:s3" -X PUT "http://127.0.0.1:9000/$KILTER_BUCKET"
{{- end }}

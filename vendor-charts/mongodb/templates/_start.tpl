{{/* The server refuses a key file that its group can read, as those of a mounted Secret are: it gets a copy. */}}
{{- define "mongodb.server" -}}
umask 077
printf %s "$KILTER_KEYFILE" > /tmp/keyfile
exec docker-entrypoint.sh mongod --bind_ip_all --replSet rs0 --keyFile /tmp/keyfile --wiredTigerCacheSizeGB 0.25
{{- end }}

{{/* Makes the replica set when there is none; while the image prepares the data folder its server has no replica set. A password
that the volume does not have never logs in: after some minutes the hook says so, as an event of the pod. */}}
{{- define "mongodb.start" -}}
ready() {
  for try in $(seq 120); do
    said=$(mongosh --quiet -u root -p "$MONGO_INITDB_ROOT_PASSWORD" --authenticationDatabase admin --eval '
      try { rs.status() } catch (error) {
        if (error.codeName !== "NotYetInitialized") throw error
        rs.initiate({_id: "rs0", members: [{_id: 0, host: "127.0.0.1:27017"}]})
      }' 2>&1) && return
    sleep 1
  done
  false
}
if ! ready; then
  printf '%s\n' "no login as root: the volume may have another password; $said" >&2
  exit 1
fi
{{- end }}

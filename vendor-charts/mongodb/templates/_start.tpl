{{/* The server refuses a key file that its group can read, as those of a mounted Secret are: it gets a copy. */}}
{{- define "mongodb.server" -}}
{{- if .Values.auth.password }}
umask 077
printf %s "$KILTER_KEYFILE" > /tmp/keyfile
set -- --keyFile /tmp/keyfile
{{- end }}
exec docker-entrypoint.sh mongod --bind_ip_all --replSet rs0 --wiredTigerCacheSizeGB 0.25 "$@"
{{- end }}

{{/* Makes the replica set when there is none, as root; while the image prepares the data folder its server has no replica set.
Where root cannot log in, the server's own user, whose password is the key file, gives it the password of the values: the volume has
an older one, or none since its first start was interrupted. If that fails for minutes, the hook says so, as an event of the pod. */}}
{{- define "mongodb.start" -}}
begin='try { rs.status() } catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error
  rs.initiate({_id: "rs0", members: [{_id: 0, host: "127.0.0.1:27017"}]})
}'
{{- if .Values.auth.password }}
as() { mongosh --quiet --username="$1" --password="$2" --authenticationDatabase="$3" --eval "$4" 2>&1; }
user='for (let i = 0; i < 300 && !db.hello().isWritablePrimary; i++) sleep(100)
const admin = db.getSiblingDB("admin"), password = process.env.MONGO_INITDB_ROOT_PASSWORD
if (admin.getUser("root")) admin.changeUserPassword("root", password)
else admin.createUser({user: "root", pwd: password, roles: ["root"]})'
ready() {
  while ((SECONDS < 240)); do
    said=$(as root "$MONGO_INITDB_ROOT_PASSWORD" admin "$begin") && return
    as __system "$KILTER_KEYFILE" local "$begin; $user" > /dev/null || sleep 1
  done
  false
}
failure="no login as root, and none that could give it the password of the values"
{{- else }}
ready() {
  for try in $(seq 120); do
    said=$(mongosh --quiet --eval "$begin" 2>&1) && return
    sleep 1
  done
  false
}
failure="no replica set could be made"
{{- end }}
if ! ready; then
  printf '%s\n' "$failure; $said" >&2
  exit 1
fi
{{- end }}

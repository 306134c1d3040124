{{/* The properties of the server but for what it tells clients; a backslash begins an escape in them. `POD` is for what runs in
its pod, which the Service does not lead to before the pod is ready. */}}
{{- define "kafka.config" -}}
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
controller.listener.names=CONTROLLER
inter.broker.listener.name=POD
listeners=CONTROLLER://127.0.0.1:9093,POD://127.0.0.1:9095,CLUSTER://:9092,HOST://:9094
listener.security.protocol.map=CONTROLLER:PLAINTEXT,POD:PLAINTEXT,CLUSTER:PLAINTEXT,HOST:PLAINTEXT
log.dirs=/data/kafka
{{- $one := dict "offsets.topic.replication.factor" 1 "transaction.state.log.replication.factor" 1 }}
{{- $_ := set $one "transaction.state.log.min.isr" 1 }}
{{- $_ := set $one "share.coordinator.state.topic.replication.factor" 1 }}
{{- $_ := set $one "share.coordinator.state.topic.min.isr" 1 }}
{{- $_ := set $one "group.initial.rebalance.delay.ms" 0 }}
{{- range $name, $value := mergeOverwrite $one (deepCopy .Values.config) }}
{{ $name }}={{ include "kilter.scalar" $value | replace "\\" "\\\\" | replace "\n" "\\n" }}
{{- end }}
{{- end }}

{{/* What clients are told. */}}
{{- define "kafka.addresses" -}}
POD://127.0.0.1:9095,CLUSTER://{{ .Release.Name }}.{{ .Release.Namespace }}.svc:{{ int .Values.ports.kafka }},HOST://127.0.0.1:$KILTER_HOST_PORT
{{- end }}

{{/* The folder of data is made when there is none: the name of the cluster is always the same. */}}
{{- define "kafka.start" -}}
: "${KILTER_HOST_PORT:={{ int .Values.ports.host }}}"
cp /kilter/server.properties /tmp/server.properties
echo "advertised.listeners={{ include "kafka.addresses" . }}" >> /tmp/server.properties
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id a2lsdGVyLWthZmthLWRldg --config /tmp/server.properties
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
{{- end }}

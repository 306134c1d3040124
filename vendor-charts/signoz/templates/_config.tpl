{{/* ClickHouse's settings, in place of the image's own file, which opens it to everyone: unless told, it listens on the loopback. */}}
{{- define "signoz.store" -}}
<clickhouse>
  <logger>
    <level>warning</level>
    <console>1</console>
    <log remove="remove"/>
    <errorlog remove="remove"/>
  </logger>
  <keeper_server>
    <tcp_port>9181</tcp_port>
    <server_id>1</server_id>
    <enable_ipv6>false</enable_ipv6>
    <log_storage_path>/var/lib/clickhouse/coordination/log</log_storage_path>
    <snapshot_storage_path>/var/lib/clickhouse/coordination/snapshots</snapshot_storage_path>
    <coordination_settings>
      <raft_logs_level>warning</raft_logs_level>
    </coordination_settings>
    <raft_configuration>
      <server>
        <id>1</id>
        <hostname>127.0.0.1</hostname>
        <port>9234</port>
      </server>
    </raft_configuration>
  </keeper_server>
  <zookeeper replace="replace">
    <node>
      <host>127.0.0.1</host>
      <port>9181</port>
    </node>
  </zookeeper>
  <distributed_ddl replace="replace">
    <path>/clickhouse/task_queue/ddl</path>
  </distributed_ddl>
  <remote_servers replace="replace">
    <cluster>
      <shard>
        <replica>
          <host>127.0.0.1</host>
          <port>9000</port>
        </replica>
      </shard>
    </cluster>
  </remote_servers>
  <macros replace="replace">
    <shard>01</shard>
    <replica>01</replica>
  </macros>
  <user_scripts_path>/kilter/</user_scripts_path>
  <user_defined_executable_functions_config>/etc/clickhouse-server/kilter_function.xml</user_defined_executable_functions_config>
  {{- range list "asynchronous_insert_log" "asynchronous_metric_log" "backup_log" "blob_storage_log" "error_log" "latency_log" "metric_log" "opentelemetry_span_log" "part_log" "processors_profile_log" "query_log" "query_metric_log" "query_thread_log" "query_views_log" "session_log" "text_log" "trace_log" }}
  <{{ . }} remove="remove"/>
  {{- end }}
</clickhouse>
{{- end }}

{{- define "signoz.functions" -}}
<functions>
  <function>
    <type>executable</type>
    <name>histogramQuantile</name>
    <return_type>Float64</return_type>
    <argument>
      <type>Array(Float64)</type>
      <name>bounds</name>
    </argument>
    <argument>
      <type>Array(Float64)</type>
      <name>counts</name>
    </argument>
    <argument>
      <type>Float64</type>
      <name>quantile</name>
    </argument>
    <format>CSV</format>
    <command>histogramQuantile</command>
  </function>
</functions>
{{- end }}

{{- define "signoz.collector.own" -}}
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 0.0.0.0:4317
      http:
        endpoint: 0.0.0.0:4318
        cors:
          allowed_origins:
            - http://127.0.0.1:*
            - http://localhost:*
processors:
  # Small and soon: somebody looks at the page and waits.
  batch:
    send_batch_size: 10000
    timeout: 1s
  batch/meter:
    send_batch_size: 20000
    timeout: 1s
  # The figures of the page `Services` are made of the spans.
  signozspanmetrics/delta:
    metrics_exporter: signozclickhousemetrics
    metrics_flush_interval: 15s
    aggregation_temporality: AGGREGATION_TEMPORALITY_DELTA
    enable_exp_histogram: true
    dimensions_cache_size: 10000
    latency_histogram_buckets: [100us, 1ms, 2ms, 6ms, 10ms, 50ms, 100ms, 250ms, 500ms, 1000ms, 1400ms, 2000ms, 5s, 10s, 20s, 40s, 60s]
    dimensions:
      - name: service.namespace
        default: default
      - name: deployment.environment
        default: default
      - name: signoz.collector.id
      - name: service.version
      - name: host.name
connectors:
  signozmeter:
    metrics_flush_interval: 1h
    dimensions:
      - name: service.name
      - name: deployment.environment
      - name: host.name
exporters:
  clickhousetraces:
    datasource: tcp://127.0.0.1:9000/signoz_traces
    low_cardinal_exception_grouping: false
    use_new_schema: true
  signozclickhousemetrics:
    dsn: tcp://127.0.0.1:9000/signoz_metrics
  clickhouselogsexporter:
    dsn: tcp://127.0.0.1:9000/signoz_logs
    use_new_schema: true
    timeout: 10s
  signozclickhousemeter:
    dsn: tcp://127.0.0.1:9000/signoz_meter
    timeout: 45s
    sending_queue:
      enabled: false
  metadataexporter:
    enabled: true
    dsn: tcp://127.0.0.1:9000/signoz_metadata
    timeout: 45s
    cache:
      provider: in_memory
service:
  telemetry:
    logs:
      level: warn
  pipelines:
    traces:
      receivers: [otlp]
      processors: [signozspanmetrics/delta, batch]
      exporters: [clickhousetraces, metadataexporter, signozmeter]
    metrics:
      receivers: [otlp]
      processors: [batch]
      exporters: [signozclickhousemetrics, metadataexporter, signozmeter]
    logs:
      receivers: [otlp]
      processors: [batch]
      exporters: [clickhouselogsexporter, metadataexporter, signozmeter]
    metrics/meter:
      receivers: [signozmeter]
      processors: [batch/meter]
      exporters: [signozclickhousemeter]
{{- end }}

{{- define "signoz.collector" -}}
{{- $own := include "signoz.collector.own" . | fromYaml -}}
{{- mergeOverwrite $own .Values.collector.config | toYaml }}
{{- end }}

{{/* ClickHouse answers, and its Keeper has taken the lead: without it no table can be made. */}}
{{- define "signoz.store.ready" -}}
exec:
  command:
    - clickhouse-client
    - --host=127.0.0.1
    - --query=SELECT count() FROM system.zookeeper WHERE path = '/'
{{- end }}

{{- define "signoz.http.ready" -}}
httpGet:
  path: /api/v1/health?live
  port: ui
{{- end }}

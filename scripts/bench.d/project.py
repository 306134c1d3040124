"""The project of scripts/bench render: N services, each with a chart of its own, for kilter, helm and helmfile alike."""

import os
from pathlib import Path

NAMESPACE = "bench-dev"
KUBE_VERSION = "v1.37.0"

HELPERS = """{{- define "labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
"""

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ .Release.Name }}
  template:
    metadata:
      labels: {{- include "labels" . | nindent 8 }}
    spec:
      containers:
        - name: main
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
          ports:
            {{- range $name, $port := .Values.ports }}
            - name: {{ $name }}
              containerPort: {{ $port }}
            {{- end }}
          envFrom:
            - configMapRef:
                name: {{ .Release.Name }}
          readinessProbe:
            tcpSocket:
              port: {{ .Values.ports.http }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
"""

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "labels" . | nindent 4 }}
spec:
  selector:
    app.kubernetes.io/instance: {{ .Release.Name }}
  ports:
    {{- range $name, $port := .Values.ports }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
    {{- end }}
"""

CONFIG = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  labels: {{- include "labels" . | nindent 4 }}
data:
  {{- range $name, $value := .Values.settings }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
"""

VALUES = """replicas: 1
image:
  repository: example.test/service
  tag: "1.0.0"
labels:
  team: bench
ports:
  http: 8080
  metrics: 9090
settings:
  LOG_LEVEL: info
  POOL_SIZE: "10"
resources:
  requests: {cpu: 50m, memory: 64Mi}
  limits: {memory: 256Mi}
"""


def names(count):
    """The services' names, in order."""
    return [f"service-{number:02}" for number in range(1, count + 1)]


def values_of(name, level="info"):
    """What the project says about one service: the same in kilter.yaml and in the values file of helm and helmfile."""
    return {"replicas": 2, "settings": {"LOG_LEVEL": level, "NAME": name}}


def write(root, count):
    """Writes the charts, kilter.yaml, helmfile.yaml and the values files below root."""
    for name in names(count):
        chart = root / "charts" / name
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
        (chart / "values.yaml").write_text(VALUES)
        for file, text in (
            ("_helpers.tpl", HELPERS),
            ("deployment.yaml", DEPLOYMENT),
            ("service.yaml", SERVICE),
            ("config.yaml", CONFIG),
        ):
            (chart / "templates" / file).write_text(text)
        (root / "values").mkdir(exist_ok=True)
        (root / "values" / f"{name}.yaml").write_text(as_yaml(values_of(name), 0))
    write_kilter_yaml(root, count)
    write_helmfile(root, count)


def write_kilter_yaml(root, count, changed=None):
    """Writes kilter.yaml; the service named by `changed` has another value."""
    lines = ["name: bench", "services:"]
    for name in names(count):
        values = values_of(name, "debug" if name == changed else "info")
        lines += [f"  - name: {name}", f"    chart: ./charts/{name}", "    values:", as_yaml(values, 6).rstrip("\n")]
    (root / "kilter.yaml").write_text("\n".join(lines) + "\n")


def write_helmfile(root, count):
    """Writes helmfile.yaml with the same releases."""
    lines = [f"kubeVersion: {KUBE_VERSION}", "releases:"]
    for name in names(count):
        lines += [f"  - name: {name}", f"    namespace: {NAMESPACE}", f"    chart: ./charts/{name}"]
        lines += ["    values:", f"      - values/{name}.yaml"]
    (root / "helmfile.yaml").write_text("\n".join(lines) + "\n")


def as_yaml(values, indent):
    """Nested maps of plain words and numbers as YAML."""
    text = ""
    for key, value in values.items():
        if isinstance(value, dict):
            text += f"{' ' * indent}{key}:\n{as_yaml(value, indent + 2)}"
        else:
            text += f"{' ' * indent}{key}: {value}\n"
    return text


def helm_command(helm, name):
    """`helm template` of one service, as kilter runs it."""
    chart = Path("charts") / name
    flags = ["--namespace", NAMESPACE, "--kube-version", KUBE_VERSION, "--include-crds", "--skip-tests"]
    return [helm, "template", name, str(chart), *flags, "-f", f"values/{name}.yaml"]


def helm_environment(home):
    """A cleared environment with empty homes: nothing of the machine's is read."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "TZ": "UTC",
        "LC_ALL": "C",
        "NO_COLOR": "1",
        "KUBECONFIG": os.devnull,
        "HELM_NO_PLUGINS": "1",
        "HELM_PLUGINS": str(home / "plugins"),
        "HELM_CACHE_HOME": str(home / "cache"),
        "HELM_CONFIG_HOME": str(home / "config"),
        "HELM_DATA_HOME": str(home / "data"),
    }

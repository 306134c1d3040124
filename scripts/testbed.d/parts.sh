# shellcheck shell=bash
# The test bed's processes: sourced by scripts/testbed, never run.

# In the order they are started; ended in the order of the other way round.
# shellcheck disable=SC2034 # scripts/testbed uses it.
PARTS=(registry-outside registry containerd etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy coredns
  provisioner)
BOOT=$(</proc/sys/kernel/random/boot_id)

# part_command PART: puts into COMMAND what it is started with.
# shellcheck disable=SC2054 # The commas are the options' own.
part_command() {
  local pki=$BED/pki
  case $1 in
    registry-outside | registry) COMMAND=(docker-registry serve "$BED/config/registry.yml") ;;
    containerd) COMMAND=(containerd --config "$BED/config/containerd.toml") ;;
    etcd)
      COMMAND=(etcd --name="$NAME" --data-dir="$BED/etcd" --logger=zap --log-level=warn
        --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379
        --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380
        --initial-cluster="$NAME=http://127.0.0.1:2380")
      ;;
    kube-apiserver)
      COMMAND=("$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379
        --bind-address=0.0.0.0 --secure-port="$API_PORT" --advertise-address="$NODE_ADDRESS"
        --service-cluster-ip-range="$SERVICES" --allow-privileged=true
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction
        --audit-policy-file="$BED/config/audit.yaml" --audit-log-path="$BED/audit/calls.jsonl" --audit-log-maxsize=1000
        --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key"
        --service-account-issuer=https://kubernetes.default.svc.cluster.local
        --service-account-key-file="$pki/service-accounts.pub" --service-account-signing-key-file="$pki/service-accounts.key"
        --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP
        --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key"
        --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group
        --requestheader-extra-headers-prefix=X-Remote-Extra-
        --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key")
      ;;
    kube-controller-manager)
      COMMAND=("$BIN/kube-controller-manager" --kubeconfig="$BED/$1.kubeconfig" --leader-elect=false
        --authentication-kubeconfig="$BED/$1.kubeconfig" --authorization-kubeconfig="$BED/$1.kubeconfig"
        --bind-address=127.0.0.1 --use-service-account-credentials=true --root-ca-file="$pki/ca.crt"
        --service-account-private-key-file="$pki/service-accounts.key"
        --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key")
      ;;
    kube-scheduler)
      COMMAND=("$BIN/kube-scheduler" --kubeconfig="$BED/$1.kubeconfig" --leader-elect=false --bind-address=127.0.0.1
        --authentication-kubeconfig="$BED/$1.kubeconfig" --authorization-kubeconfig="$BED/$1.kubeconfig")
      ;;
    kubelet)
      COMMAND=("$BIN/kubelet" --config="$BED/config/kubelet.yaml" --kubeconfig="$BED/kubelet.kubeconfig"
        --root-dir="$BED/kubelet" --cert-dir="$BED/pki" --hostname-override="$NAME" --node-ip="$NODE_ADDRESS")
      ;;
    kube-proxy) COMMAND=("$BIN/kube-proxy" --config="$BED/config/kube-proxy.yaml") ;;
    coredns) COMMAND=("$BIN/coredns" -conf "$BED/config/Corefile") ;;
    provisioner) COMMAND=("$BIN/provisioner" -kubeconfig "$BED/admin.kubeconfig" -root "$BED/volumes" -node "$NAME") ;;
    *) platform_command "$1" ;;
  esac
}

# answers PART: whether it does its work, as far as that can be asked.
answers() {
  case $1 in
    registry-outside) open_port 127.0.0.1 "$REGISTRY_PORT" ;;
    registry) inside_port 127.0.0.1 "$REGISTRY_PORT" ;;
    containerd) ctr_bed version >/dev/null 2>&1 ;;
    etcd) inside_port 127.0.0.1 2379 ;;
    kube-apiserver) kubectl get --raw /readyz --request-timeout=5s >/dev/null 2>&1 ;;
    kube-controller-manager) inside_port 127.0.0.1 10257 ;;
    kube-scheduler) inside_port 127.0.0.1 10259 ;;
    kubelet) inside_http 10248 /healthz ;;
    kube-proxy) inside_http 10256 /healthz ;;
    coredns) inside_http 8181 /ready ;;
    provisioner) running provisioner >/dev/null ;;
    *) platform_answers "$1" ;;
  esac
}

# ports_of PART: for people.
ports_of() {
  case $1 in
    registry-outside) echo "$REGISTRY_PORT (outside)" ;;
    registry) echo "$REGISTRY_PORT" ;;
    etcd) echo 2379 ;;
    kube-apiserver) echo "$API_PORT" ;;
    kube-controller-manager) echo 10257 ;;
    kube-scheduler) echo 10259 ;;
    kubelet) echo 10250 ;;
    kube-proxy) echo 10256 ;;
    coredns) echo 53 ;;
    *) platform_ports "$1" ;;
  esac
}

open_port() { (: <"/dev/tcp/$1/$2") 2>/dev/null; }

# The words are expanded by the inner shell.
# shellcheck disable=SC2016
inside_port() { inside bash -c ': <"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null; }

# inside_http PORT PATH: whether the answer is 200.
# shellcheck disable=SC2016
inside_http() {
  inside bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0"; printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3; read -r _ status _ <&3
    [[ $status == 200 ]]' "$1" "$2" 2>/dev/null
}

# start_time PID: when the process was started; 1 where there is none, or only what its parent has not asked about yet.
start_time() {
  local line fields
  { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # Its name is in parentheses, and may hold anything.
  read -ra fields <<<"${line##*) }"
  [[ ${fields[0]} != Z ]] || return 1
  printf '%s\n' "${fields[19]}"
}

# running PART: prints its pid, if the process of that number is the one that was started.
running() {
  local pid started boot
  { read -r pid started boot <"$RUN/$1.pid"; } 2>/dev/null || return 1
  [[ $boot == "$BOOT" && $(start_time "$pid") == "$started" ]] || return 1
  printf '%s\n' "$pid"
}

# Closes the files that the caller has open beside the usual three: a lock on one of them would be held as long as the part runs.
close_files() {
  local file
  for file in /proc/self/fd/*; do
    file=${file##*/}
    if ((file > 2)); then exec {file}>&-; fi
  done
}

# launch PART: starts it where it does not run.
launch() {
  local part=$1 COMMAND=() where=(nsenter --net="$NETNS") pid
  if running "$part" >/dev/null; then return; fi
  if [[ $part == registry-outside ]]; then
    where=()
    if open_port 127.0.0.1 "$REGISTRY_PORT"; then die "another program listens on 127.0.0.1:$REGISTRY_PORT, the bed's registry"; fi
  fi
  part_command "$part"
  if [[ -f $LOGS/$part.log ]]; then mv "$LOGS/$part.log" "$LOGS/$part.log.before"; fi
  # Nothing of the caller's environment: a proxy's address in it would be used. A session of its own: Ctrl-C ends the script only.
  (
    close_files
    exec env -i PATH="$PATH" HOME="$BED" setsid "${where[@]}" "${COMMAND[@]}"
  ) </dev/null >"$LOGS/$part.log" 2>&1 &
  pid=$!
  printf '%s %s %s\n' "$pid" "$(start_time "$pid")" "$BOOT" >"$RUN/$part.pid"
}

# await SECONDS PART: until it answers; ends the script when it does not.
await() {
  wait_until "$1" answers_or_ended "$2" || true
  if answers "$2"; then return; fi
  tail -n 20 "$LOGS/$2.log" >&2
  local what=ended
  if running "$2" >/dev/null; then what="not answered in $1 s"; fi
  die "$2 has $what; its whole log is $LOGS/$2.log. \`scripts/testbed reset\` begins with an empty cluster"
}

answers_or_ended() { answers "$1" || ! running "$1" >/dev/null; }

ended() { [[ $(start_time "$1") != "$2" ]]; }

# end PART: in order where it obeys.
end() {
  local part=$1 pid started patience=10
  if pid=$(running "$part"); then
    started=$(start_time "$pid")
    # In order it waits for everybody who watches.
    if [[ $part == kube-apiserver ]]; then patience=2; fi
    kill -TERM "$pid"
    if ! wait_until "$patience" ended "$pid" "$started"; then
      kill -KILL "$pid"
      wait_until 10 ended "$pid" "$started" || die "$part ($pid) does not end"
    fi
  fi
  rm -f "$RUN/$part.pid"
}

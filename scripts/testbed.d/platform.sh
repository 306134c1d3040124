# shellcheck shell=bash
# What production needs beside a cluster: sourced by scripts/testbed, never run.

# In the order they are started.
PLATFORM=(git-server source-controller kustomize-controller traefik network-policies)
GIT_ADDRESS=$NODE_ADDRESS:8418
ARTIFACTS_ADDRESS=127.0.0.1:9790
GATEWAY_PORT=8088
HOST_SUFFIX=apps.bed.test

# platform_command PART: puts into COMMAND what it is started with.
# shellcheck disable=SC2034 # parts.sh uses it.
platform_command() {
  local kubernetes=(env KUBECONFIG="$BED/admin.kubeconfig" RUNTIME_NAMESPACE=flux-system TMPDIR="$RUN/scratch")
  # Tests wait for what a team waits half a minute for, and for tries after failures that come ever later.
  local flux=(--metrics-addr=0 --watch-all-namespaces --requeue-dependency=1s --min-retry-delay=500ms --max-retry-delay=5s
    --interval-jitter-percentage=0)
  case $1 in
    git-server) COMMAND=("$BIN/git-server" -listen "$GIT_ADDRESS" -root "$BED/git" -login "$BED/git-login") ;;
    source-controller)
      COMMAND=("${kubernetes[@]}" "$(module_path flux)/$1" "${flux[@]}" --health-addr=127.0.0.1:9440
        --storage-path="$BED/artifacts" --storage-addr="$ARTIFACTS_ADDRESS" --storage-adv-addr="$ARTIFACTS_ADDRESS")
      ;;
    kustomize-controller)
      kubernetes[1]=KUBECONFIG=$BED/flux.kubeconfig
      COMMAND=("${kubernetes[@]}" "$(module_path flux)/$1" "${flux[@]}" --health-addr=127.0.0.1:9441 --no-remote-bases)
      ;;
    traefik)
      COMMAND=("${kubernetes[@]}" "$(module_path gateway)/$1" --global.checknewversion=false --global.sendanonymoususage=false
        --providers.kubernetesgateway=true --providers.kubernetesgateway.statusaddress.ip="$NODE_ADDRESS"
        --entrypoints.web.address="$NODE_ADDRESS:$GATEWAY_PORT" --entrypoints.ping.address=127.0.0.1:8089 --ping.entrypoint=ping)
      ;;
    network-policies) COMMAND=("$BIN/$1" -kubeconfig "$BED/admin.kubeconfig" -listen 127.0.0.1:8490) ;;
    *) return 1 ;;
  esac
}

# platform_answers PART: whether it does its work, as far as that can be asked.
platform_answers() {
  case $1 in
    git-server) inside_port "${GIT_ADDRESS%:*}" "${GIT_ADDRESS#*:}" ;;
    source-controller) inside_http 9440 /readyz && inside_port "${ARTIFACTS_ADDRESS%:*}" "${ARTIFACTS_ADDRESS#*:}" ;;
    kustomize-controller) inside_http 9441 /readyz ;;
    network-policies) inside_http 8490 / ;;
    traefik) inside_http 8089 /ping && inside_port "$NODE_ADDRESS" "$GATEWAY_PORT" ;;
    *) return 1 ;;
  esac
}

# platform_ports PART: for people.
platform_ports() {
  case $1 in
    git-server) echo "${GIT_ADDRESS#*:}" ;;
    source-controller) echo "${ARTIFACTS_ADDRESS#*:}" ;;
    traefik) echo "$GATEWAY_PORT" ;;
    *) echo - ;;
  esac
}

# The repository that the operator writes and Flux reads, empty at first, and who may do so.
git_repository() {
  local repository=$BED/git/fleet.git
  if [[ ! -s $BED/git-login/password ]]; then
    (
      umask 077
      mkdir -p "$BED/git-login"
      printf fleet >"$BED/git-login/username"
      openssl rand -hex 24 | tr -d '\n' >"$BED/git-login/password"
    )
  fi
  if [[ -s $repository/config ]]; then return; fi
  rm -rf "$repository" "$repository.new"
  mkdir -p "$BED/git"
  quietly git init --bare --initial-branch=main "$repository.new"
  git -C "$repository.new" config http.receivepack true
  git -C "$repository.new" config receive.denyNonFastForwards true
  # Its own time to tidy up is a test's time.
  git -C "$repository.new" config receive.autogc false
  mv "$repository.new" "$repository"
}

# give FILE-OR-FOLDER…: to the cluster.
give() {
  local path arguments=()
  for path in "$@"; do arguments+=(-f "$path"); done
  kubectl apply --server-side --force-conflicts "${arguments[@]}" >"$LOGS/apply.log" 2>&1 || {
    cat "$LOGS/apply.log" >&2
    die "the cluster does not take what it needs"
  }
}

# Kinds first: what is of a kind can be given when the kind is established.
platform_objects() {
  local module folders=()
  for module in "${MODULES[@]}"; do folders+=("$(module_path "$module")/crds"); done
  give "${folders[@]}"
  quietly kubectl wait --for=condition=Established --timeout=60s crd --all
  give "$BED/config/platform.yaml"
}

# What tests read.
platform_env() {
  cat >"$BED/platform.env" <<ENV
GIT_URL=http://$GIT_ADDRESS/fleet.git
GIT_LOGIN=$BED/git-login
GATEWAY_ADDR=$NODE_ADDRESS:$GATEWAY_PORT
HOST_SUFFIX=$HOST_SUFFIX
ENV
}

start_platform() {
  local part
  mkdir -p "$RUN/scratch" "$BED/artifacts"
  git_repository
  flux_identity
  launch git-server
  platform_objects
  for part in "${PLATFORM[@]}"; do launch "$part"; done
  for part in "${PLATFORM[@]}"; do await 60 "$part"; done
  quietly kubectl --namespace gateway-system wait --for=condition=Programmed --timeout=60s gateway public
  platform_env
}

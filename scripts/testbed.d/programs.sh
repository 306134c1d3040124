# shellcheck shell=bash
# The test bed's programs and images: sourced by scripts/testbed, never run.

# As scripts/base-images names them.
BASES=(node:22-alpine python:3.13-slim golang:1.26-alpine)
PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl coredns provisioner git-server
  network-policies)
# Programs of the platform that can't be linked with others, one go.mod each.
MODULES=(flux gateway)

# The release of Kubernetes, as go.mod has it: what `kubectl version` prints.
kubernetes_version() { awk '$1 == "k8s.io/kubernetes" { print $2; exit }' "$SOURCES/go.mod"; }

go_flags() {
  local version package flags='-s -w'
  version=$(kubernetes_version)
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
  done
  GO_FLAGS=(-p 2 -trimpath -buildvcs=false -mod=readonly "-ldflags=$flags")
}

# Where the programs are that these sources make.
programs_path() {
  local digest GO_FLAGS
  go_flags
  digest=$({ cat "$SOURCES"/go.* "$SOURCES"/*.go "$SOURCES"/pause/*.go "$SOURCES"/policies/*.go; printf '%s' "$(go version 2>&1) ${GO_FLAGS[*]}"; } | sha256sum)
  printf '%s/programs/%s\n' "$BED" "${digest:0:16}"
}

# module_packages MODULE: what is built of it.
module_packages() {
  case $1 in
    flux) echo github.com/fluxcd/source-controller github.com/fluxcd/kustomize-controller ;;
    gateway) echo github.com/traefik/traefik/v3/cmd/traefik ;;
  esac
}

# module_kinds MODULE: where the definitions of its kinds are, `module folder` a line.
module_kinds() {
  case $1 in
    flux) printf '%s config/crd/bases\n' github.com/fluxcd/source-controller github.com/fluxcd/kustomize-controller ;;
    gateway) echo sigs.k8s.io/gateway-api config/crd/standard ;;
  esac
}

MODULE_FLAGS=(-p 2 -trimpath -buildvcs=false -mod=readonly '-ldflags=-s -w')

# Where a module's programs are that these sources make.
module_path() {
  local digest
  digest=$({
    find "$SOURCES/$1" -type f -print0 | sort -z | xargs -0 cat
    printf '%s' "$(go version 2>&1) ${MODULE_FLAGS[*]} $(module_packages "$1") $(module_kinds "$1")"
  } | sha256sum)
  printf '%s/programs/%s-%s\n' "$BED" "$1" "${digest:0:16}"
}

# build_module MODULE: its programs, and the definitions of its kinds in the folder crds.
build_module() {
  local path new=$BED/programs/$1.new packages module folder
  path=$(module_path "$1")
  if [[ -d $path ]]; then return; fi
  read -ra packages < <(module_packages "$1")
  say "    go build $SOURCES/$1: ${packages[*]}, some minutes"
  rm -rf "$new"
  mkdir -p "$new/crds"
  CGO_ENABLED=0 GOTOOLCHAIN=local nice go build -C "$SOURCES/$1" "${MODULE_FLAGS[@]}" -o "$new/" "${packages[@]}" >&2 ||
    die "building $SOURCES/$1 failed"
  while read -r module folder; do
    install -m 644 "$(GOTOOLCHAIN=local go list -C "$SOURCES/$1" -mod=readonly -m -f '{{.Dir}}' "$module")/$folder"/*.yaml "$new/crds"
  done < <(module_kinds "$1")
  mv "$new" "$path"
  find "$BED/programs" -mindepth 1 -maxdepth 1 -name "$1-*" ! -path "$path" -exec rm -rf {} +
}

# build_program NAME PACKAGE
build_program() {
  # -C has to be the first option.
  CGO_ENABLED=0 GOTOOLCHAIN=local nice go build -C "$SOURCES" "${GO_FLAGS[@]}" -o "$BED/programs/new/$1" "$2" >&2 ||
    die "building $SOURCES failed"
}

build_programs() {
  local path part module GO_FLAGS
  if [[ -n $WITH_PLATFORM ]]; then
    for module in "${MODULES[@]}"; do build_module "$module"; done
  fi
  path=$(programs_path)
  if [[ -d $path ]]; then return; fi
  go_flags
  say "    go build $SOURCES: Kubernetes $(kubernetes_version), some minutes"
  rm -rf "$BED/programs/new"
  mkdir -p "$BED/programs/new"
  build_program bed .
  build_program pause ./pause
  for part in "${PROGRAMS[@]}"; do ln -s bed "$BED/programs/new/$part"; done
  mv "$BED/programs/new" "$path"
  # Those of other sources; what runs of them goes on.
  find "$BED/programs" -mindepth 1 -maxdepth 1 ! -path "$path" ! -name '*-*' -exec rm -rf {} +
}

# The image that holds a pod's namespaces; its tag changes with the program.
pause_image() { printf 'docker.io/kilter-test/pause:%s\n' "$(basename "$BIN")"; }

# in_containerd IMAGE ID: whether the cluster has this very image under the name.
in_containerd() { grep -qxF "$1 $2" "$BED/containerd/imported" 2>/dev/null && grep -qxF "$1" <<<"$IMAGES"; }

give_pause() {
  local image IMAGES
  image=$(pause_image)
  IMAGES=$(ctr_bed images ls -q)
  if grep -qxF "$image" <<<"$IMAGES"; then return; fi
  tar -C "$BIN" -c pause | docker import --change 'ENTRYPOINT ["/pause"]' - "${image#docker.io/}" >/dev/null
  docker save "${image#docker.io/}" | ctr_bed images import - >/dev/null
}

# What the images are made from: they are looked at again when it has changed.
images_digest() {
  # Names and contents, and what was asked for by now.
  {
    find scripts/base-images scripts/base-images.d scripts/service-images scripts/service-images.d scripts/images.sh \
      vendor-charts/*/values.yaml -type f -exec sha256sum {} + | sort
    scripts/service-images --list
    pulled
  } | sha256sum | cut -d' ' -f1
}

# Both sides have to have them: the daemon's data and the cluster's can be deleted apart from each other.
images_current() {
  local digest stamp
  docker_answers || return 1
  digest=$(images_digest)
  for stamp in "$BED/containerd/images" "$CACHE/docker/testbed-images"; do
    [[ -s $stamp && $(<"$stamp") == "$digest" ]] || return 1
  done
}

images() {
  local digest
  running containerd >/dev/null || die "the test bed is not up"
  DOCKER_HOST=$(scripts/dockerd start)
  export DOCKER_HOST
  digest=$(images_digest)
  scripts/base-images
  scripts/service-images
  give_services
  push_bases
  # What was left for the next run is looked at again by it.
  if [[ -n $(missing_services) ]]; then return; fi
  printf '%s\n' "$digest" | tee "$BED/containerd/images" >"$CACHE/docker/testbed-images"
}

# pulled: what `scripts/service-images --pull` got.
pulled() {
  local image
  while read -r image; do
    if DOCKER_HOST=unix://$(docker_socket) docker image inspect "$image" >/dev/null 2>&1; then printf '%s\n' "$image"; fi
  done < <(scripts/service-images --others)
}

# missing_services: the images of services that are left for another run.
missing_services() {
  local image
  while read -r image; do
    docker image inspect "$image" >/dev/null 2>&1 || printf '%s\n' "$image"
  done < <(scripts/service-images --list)
}

# Gives the services' images to the cluster, under the names its charts mean.
give_services() {
  local image name id IMAGES missing wanted=() records=()
  IMAGES=$(ctr_bed images ls -q)
  missing=$(missing_services)
  while read -r image; do
    if grep -qxF "$image" <<<"$missing"; then continue; fi
    name=docker.io/$image
    # Docker's own are in a folder whose name nobody writes; others name their registry, by a name with a dot.
    if [[ $image != */* ]]; then name=docker.io/library/$image; fi
    if [[ ${image%%/*} == *.* && $image == */* ]]; then name=$image; fi
    id=$(docker image inspect --format '{{.Id}}' "$image")
    if in_containerd "$name" "$id"; then continue; fi
    wanted+=("$image")
    records+=("$name $id")
  done < <(scripts/service-images --list; pulled)
  if [[ ${#wanted[@]} -eq 0 ]]; then return; fi
  say "    to the cluster: ${wanted[*]}"
  docker save "${wanted[@]}" | ctr_bed images import - >/dev/null
  # The last record of a name is the one that holds.
  touch "$BED/containerd/imported"
  for image in "${records[@]}"; do sed -i "\|^${image% *} |d" "$BED/containerd/imported"; done
  printf '%s\n' "${records[@]}" >>"$BED/containerd/imported"
}

# Pushes the images that apps stand on: an app's own first push then takes a moment, and not the time to compress all of Node.
push_bases() {
  local image id target pushed=$BED/registry/bases
  touch "$pushed"
  for image in "${BASES[@]}"; do
    id=$(docker image inspect --format '{{.Id}}' "$image")
    if grep -qxF "$image $id" "$pushed"; then continue; fi
    say "    to the registry: $image"
    target=localhost:$REGISTRY_PORT/kilter-test/${image/:/-}:latest
    docker tag "$image" "$target"
    docker push --quiet "$target" >/dev/null || die "$image can't be pushed"
    docker rmi "$target" >/dev/null
    printf '%s %s\n' "$image" "$id" >>"$pushed"
  done
}

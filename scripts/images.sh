# shellcheck shell=bash
# Shared by scripts/base-images and scripts/service-images; sourced after scripts/lib.sh, never run. Images are built by the
# daemon that DOCKER_HOST names, and carry the digest of what they are made from as a label.

SUITE=trixie
BUNDLE=/etc/ssl/certs/ca-certificates.crt
# Not where Debian's own bundle is: its package would overwrite this one.
INSIDE=/usr/local/share/kilter-test-bundle.crt
LABEL=com.netshire.kilter.inputs

# The classic builder: it needs no plugin of the docker command.
export DOCKER_BUILDKIT=0

# digest_of FILE…: what an image is made from: the files, and EXTRA.
EXTRA=
digest_of() { { cat "$@"; printf '%s' "$SUITE $INSIDE $EXTRA"; } | sha256sum | cut -d' ' -f1; }

# current IMAGE DIGEST: whether the image is there and was made from these inputs.
current() {
  [[ $(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null) == "$2" ]]
}

# The tarball of a minimal Debian, made once.
rootfs() {
  local tarball=$CACHE/docker/$SUITE.tar work
  if [[ -s $tarball ]]; then printf '%s\n' "$tarball"; return; fi
  work=$(mktemp -d "$CACHE/docker/rootfs.XXXXXX")
  say "    debootstrap --variant=minbase $SUITE"
  if ! debootstrap --variant=minbase "$SUITE" "$work/root" >"$CACHE/docker/debootstrap.log" 2>&1; then
    tail -n 20 "$CACHE/docker/debootstrap.log" >&2
    rm -rf "$work"
    die "debootstrap failed; its whole output is $CACHE/docker/debootstrap.log"
  fi
  tar -C "$work/root" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./dev/*' -cf "$work/root.tar" .
  mv "$work/root.tar" "$tarball"
  rm -rf "$work"
  printf '%s\n' "$tarball"
}

debian() {
  local image=kilter-test/debian:$SUITE context tarball digest
  digest=$(EXTRA=$(declare -f debian) digest_of "$BUNDLE")
  if current "$image" "$digest"; then say "    $image: unchanged"; return; fi
  tarball=$(rootfs)
  context=$(mktemp -d)
  cp "$BUNDLE" "$context/bundle.crt"
  cat >"$context/Dockerfile" <<DOCKERFILE
FROM kilter-test/rootfs:$SUITE
# Where OpenSSL, Go, Debian's Python, Node and pip look, or are told to look.
COPY bundle.crt $INSIDE
ENV SSL_CERT_FILE=$INSIDE NODE_EXTRA_CA_CERTS=$INSIDE PIP_CERT=$INSIDE REQUESTS_CA_BUNDLE=$INSIDE
DOCKERFILE
  docker import - "kilter-test/rootfs:$SUITE" <"$tarball" >/dev/null
  build "$image" "$context/Dockerfile" "$context" "$digest"
  rm -rf "$context"
}

# build IMAGE RECIPE CONTEXT DIGEST
build() {
  local log=$CACHE/docker/build.log
  if current "$1" "$4"; then say "    $1: unchanged"; return; fi
  say "    $1"
  if ! docker build --force-rm --network host --label "$LABEL=$4" --tag "$1" --file "$2" "$3" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "building $1 failed; its whole output is $log"
  fi
}

# needs_docker: ends the script where images can't be built.
needs_docker() {
  [[ -n ${DOCKER_HOST:-} ]] || die "DOCKER_HOST is not set; \`scripts/dockerd start\` prints it"
  is_root || die "debootstrap needs root"
  [[ -s $BUNDLE ]] || die "$BUNDLE is not there: install ca-certificates"
  mkdir -p "$CACHE/docker"
}

# on_debian: makes the Debian image and takes it into the digests: what an image stands on is part of its own.
on_debian() {
  debian
  EXTRA=$(docker image inspect --format '{{.Id}}' "kilter-test/debian:$SUITE")
}

# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, never run. A script that sources it has `set -euo pipefail` and is in the
# repository's root afterwards.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$ROOT" || exit 1

# What is costly to build and safe to lose: tools, images, cargo-deny. Nothing in it is needed for a right answer.
CACHE=${KILTER_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/kilter-test}

# What is done now, on stderr: stdout is for results.
say() { printf '%s\n' "$*" >&2; }

# What is not done and why. The lines are counted by scripts/test and repeated in its closing lines.
skip() {
  say "    skipped: $*"
  if [[ -n ${KILTER_TEST_SKIPS:-} ]]; then printf '%s\n' "$*" >>"$KILTER_TEST_SKIPS"; fi
}

# Ends the script with status 1, saying why.
die() {
  say "$(basename "$0"): $*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

is_root() { [[ $(id -u) -eq 0 ]]; }

# Prints the comment at the top of the script that is running: that is its help.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

# help_if_asked ARGUMENTS…: answers --help and ends.
help_if_asked() {
  local argument
  for argument in "$@"; do
    if [[ $argument == --help || $argument == -h ]]; then
      usage
      exit 0
    fi
  done
}

# wait_until SECONDS COMMAND…: runs the command until it succeeds; 1 when the time is over.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then return 1; fi
    sleep 0.1
  done
}

# with_lock NAME COMMAND…: one process at a time; says so when it has to wait.
with_lock() {
  local name=$1 lock
  shift
  mkdir -p "$CACHE/locks"
  exec {lock}>"$CACHE/locks/$name"
  if ! flock --nonblock "$lock"; then
    say "    waiting for another run that holds $CACHE/locks/$name"
    flock "$lock"
  fi
  # What the command starts must not hold the lock when the command is over.
  "$@" {lock}>&-
  exec {lock}>&-
}

# The file that docker is reached through when scripts/dockerd runs.
docker_socket() { printf '%s\n' "$CACHE/docker/d.sock"; }

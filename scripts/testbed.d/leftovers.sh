# shellcheck shell=bash
# What the test bed leaves on the machine, and taking it away: sourced by scripts/testbed, never run.

# Prints the folders of the bed's cgroups, those inside others first.
cgroup_folders() { find /sys/fs/cgroup -depth -type d \( -path "*/$NAME" -o -path "*/$NAME/*" \) 2>/dev/null || true; }

container_pids() { cgroup_folders | sed 's|$|/cgroup.procs|' | xargs -r cat 2>/dev/null | sort -u; }

no_containers() { [[ -z $(container_pids) ]]; }

# end_containers [SIGNAL]: all of their processes, in order where they obey.
end_containers() {
  local signal
  for signal in "${1:-TERM}" KILL KILL; do
    container_pids | xargs -r kill "-$signal" 2>/dev/null || true
    if wait_until 3 no_containers; then return; fi
  done
  die "containers' processes do not end: $(container_pids | paste -sd ' ')"
}

# What watches over the containers outlives containerd.
shim_pids() {
  local folder
  for folder in /proc/[0-9]*; do
    if tr '\0' ' ' <"$folder/cmdline" 2>/dev/null | grep -q "^[^ ]*containerd-shim.* -address $RUN/containerd.sock"; then
      basename "$folder"
    fi
  done
}

no_shims() { [[ -z $(shim_pids) ]]; }

# unmount_below FOLDER: and what is mounted at the folder itself; the innermost first.
unmount_below() {
  local mount
  while read -r mount; do
    umount "$mount" 2>/dev/null || umount --lazy "$mount"
  done < <(awk -v at="$1" '$5 == at || index($5, at "/") == 1 { print $5 }' /proc/self/mountinfo | tac)
}

# Prints the network namespaces of the pods, as containerd's bundles name them.
pod_namespaces() {
  find "$RUN/containerd" -name config.json -exec grep -ho '/run/netns/cni-[0-9a-f-]*' {} + 2>/dev/null | sort -u || true
}

# What is left when all parts have ended.
take_away() {
  local namespace folder
  shim_pids | xargs -r kill -KILL 2>/dev/null || true
  wait_until 10 no_shims || die "these do not end: $(shim_pids | paste -sd ' ')"
  for namespace in $(pod_namespaces); do
    unmount_below "$namespace"
    rm -f "$namespace"
  done
  unmount_below "$BED"
  unmount_below "$RUN"
  if [[ -e $NETNS ]]; then ip netns delete "$NAME"; fi
  while read -r folder; do rmdir "$folder" 2>/dev/null || true; done < <(cgroup_folders)
  rm -rf "/var/lib/cni/results/$NAME-"*
  if [[ -s $RUN/sysctl ]]; then sysctl -q -p "$RUN/sysctl" >/dev/null || true; fi
  rm -rf "$RUN"
}

no_tasks() { [[ -z $(ctr_bed tasks ls -q) ]]; }

# Deletes all containers, and leaves the images they were made from.
forget_containers() {
  local ids
  end kubelet
  network
  configs
  launch containerd
  await 60 containerd
  end_containers KILL
  wait_until 10 no_tasks || ctr_bed tasks ls -q | xargs -r -n 1 timeout 10 ctr --address "$RUN/containerd.sock" --namespace k8s.io tasks rm --force
  ids=$(ctr_bed containers ls -q)
  if [[ -n $ids ]]; then xargs ctr --address "$RUN/containerd.sock" --namespace k8s.io containers rm <<<"$ids" >/dev/null; fi
}

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
    # Processes come and go meanwhile.
    if { tr '\0' ' ' <"$folder/cmdline"; } 2>/dev/null | grep -q "^[^ ]*containerd-shim.* -address $RUN/containerd.sock"; then
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

# Takes the pods' network namespaces away, as the records of their addresses name them.
pod_namespaces() {
  local record namespace id
  for record in /var/lib/cni/results/"$NAME"-*; do
    [[ -f $record ]] || continue
    while read -r namespace; do
      unmount_below "/run/$namespace"
      rm -f "/run/$namespace"
    done < <(grep -o 'netns/cni-[0-9a-f-]*' "$record" | sort -u)
    id=$(basename "$record" -eth0)
    rm -f "$record" "/var/lib/cni/results/cni-loopback-${id#"$NAME-"}-lo"
  done
}

# Folders that the programs make wherever they are told to work, and no setting moves.
fixed_folders() {
  local file
  # The files have no newline at their ends.
  while read -r file; do rm -f "${file#unix://}"; done < <(find "$RUN/containerd" -name address -exec awk 1 {} + 2>/dev/null)
  if [[ -d /var/log/containers ]]; then find /var/log/containers -lname "$BED/pod-logs/*" -delete; fi
  rm -f /var/lib/kubelet/device-plugins/kubelet.sock
  rmdir --ignore-fail-on-non-empty --parents /var/lib/cni/results /var/log/containers /var/lib/kubelet/device-plugins \
    /run/containerd/s 2>/dev/null || true
}

stray_pids() { ip netns pids "$NAME" 2>/dev/null || true; }

no_strays() { [[ -z $(stray_pids) ]]; }

# What tests that were killed left running in the bed's network: it would take the ports of the next ones.
end_strays() {
  local signal
  [[ -e $NETNS ]] || return 0
  # It would be one of them.
  [[ ! /proc/self/ns/net -ef $NETNS ]] || die "this has to be called from outside of the bed's network"
  for signal in TERM KILL; do
    stray_pids | xargs -r kill "-$signal" 2>/dev/null || true
    if wait_until 5 no_strays; then return; fi
  done
  die "these do not end: $(stray_pids | paste -sd ' ')"
}

# What is left when all parts have ended.
take_away() {
  local folder
  shim_pids | xargs -r kill -KILL 2>/dev/null || true
  wait_until 10 no_shims || die "these do not end: $(shim_pids | paste -sd ' ')"
  pod_namespaces
  unmount_below "$BED"
  unmount_below "$RUN"
  if [[ -e $NETNS ]]; then ip netns delete "$NAME"; fi
  # The first namespace makes it, and the last one leaves it.
  if [[ -z $(ls -A /run/netns 2>/dev/null) ]]; then
    unmount_below /run/netns
    rmdir /run/netns 2>/dev/null || true
  fi
  while read -r folder; do rmdir "$folder" 2>/dev/null || true; done < <(cgroup_folders)
  if [[ -s $RUN/sysctl ]]; then sysctl -q -p "$RUN/sysctl" >/dev/null || true; fi
  fixed_folders
  # Nobody answers at the addresses in it.
  rm -f "$BED/platform.env"
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

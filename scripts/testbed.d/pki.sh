# shellcheck shell=bash
# The test bed's certificates and kubeconfigs: sourced by scripts/testbed, never run.

# quietly COMMAND…: shows what it says only where it fails.
quietly() {
  local output
  output=$("$@" 2>&1) || die "$(printf '%s\n%s' "$*" "$output")"
}

new_key() { quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1"; }

# certificate NAME SUBJECT [ALTERNATIVE-NAMES]: a server's where it has names, else a client's.
certificate() {
  local file=$PKI/$1 usage=clientAuth names=
  if [[ -n ${3:-} ]]; then usage=serverAuth names="subjectAltName=$3"; fi
  new_key "$file.key"
  quietly openssl req -new -key "$file.key" -subj "$2" -out "$file.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n%s\n' "$usage" "$names" >"$file.cnf"
  quietly openssl x509 -req -in "$file.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days 3650 \
    -extfile "$file.cnf" -out "$file.crt"
  rm "$file.csr" "$file.cnf"
}

# kubeconfig FILE CERTIFICATE
kubeconfig() {
  cat >"$1" <<YAML
apiVersion: v1
kind: Config
current-context: $NAME
clusters:
  - name: $NAME
    cluster:
      server: https://127.0.0.1:$API_PORT
      certificate-authority-data: $(base64 -w 0 "$PKI/ca.crt")
contexts:
  - name: $NAME
    context: { cluster: $NAME, user: $NAME }
users:
  - name: $NAME
    user:
      client-certificate-data: $(base64 -w 0 "$PKI/$2.crt")
      client-key-data: $(base64 -w 0 "$PKI/$2.key")
YAML
}

# Made once; the cluster's tokens are signed with them.
certificates() {
  local part
  if [[ -s $BED/pki/done ]]; then return; fi
  say "    certificates"
  rm -rf "$BED/pki"
  (
    umask 077
    PKI=$BED/pki
    mkdir -p "$PKI"
    new_key "$PKI/ca.key"
    quietly openssl req -x509 -new -key "$PKI/ca.key" -subj "/CN=$NAME" -days 3650 -out "$PKI/ca.crt" \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
    new_key "$PKI/service-accounts.key"
    quietly openssl pkey -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub"
    certificate apiserver /CN=kube-apiserver "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$NODE_ADDRESS,IP:$SERVICE_ADDRESS"
    certificate kubelet-server "/O=system:nodes/CN=system:node:$NAME" "DNS:$NAME,IP:$NODE_ADDRESS"
    certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver
    certificate front-proxy /CN=front-proxy
    certificate admin "/O=system:masters/CN=$NAME"
    certificate kubelet "/O=system:nodes/CN=system:node:$NAME"
    for part in kube-controller-manager kube-scheduler kube-proxy; do certificate "$part" "/CN=system:$part"; done
    for part in admin kubelet kube-controller-manager kube-scheduler kube-proxy; do kubeconfig "$BED/$part.kubeconfig" "$part"; done
    # It reads what an administrator may read.
    kubeconfig "$BED/coredns.kubeconfig" admin
    date >"$PKI/done"
    rm -f "$BED/flux.kubeconfig"
  )
}

# Who Flux is: an administrator of its own, by whose name the API server knows in whose place a call was made.
flux_identity() {
  if [[ -s $BED/flux.kubeconfig ]]; then return; fi
  (
    umask 077
    PKI=$BED/pki
    certificate flux /O=system:masters/CN=flux
    kubeconfig "$BED/flux.kubeconfig" flux
  )
}

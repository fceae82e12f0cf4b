#!/bin/bash
# pki.sh DIR NODE IP...: writes a CA, the certificates and the kubeconfigs of a test cluster (openssl, EC keys) to DIR.
# SERVER is the API server's URL. Does nothing if they exist already.
set -euo pipefail

readonly dir=$1 node=$2
shift 2
mkdir -p "$dir"
cd "$dir"
[ ! -e done ] || exit 0

private_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1" 2>/dev/null; }

# certificate NAME SUBJECT USAGE [SAN]: writes NAME.key and NAME.crt, signed by the CA
certificate() {
  private_key "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  {
    echo "extendedKeyUsage=$3"
    echo "keyUsage=critical,digitalSignature"
    echo "basicConstraints=CA:FALSE"
    [ -z "${4:-}" ] || echo "subjectAltName=$4"
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -sha256 -extfile "$1.ext" \
    -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

# kubeconfig NAME: writes NAME.kubeconfig with the certificate of that name
kubeconfig() {
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "$SERVER", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: test, context: {cluster: test, user: $1}}]
current-context: test
YAML
}

san=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
san=$san,DNS:kubernetes.default.svc.cluster.local,DNS:$node,IP:127.0.0.1,IP:::1,IP:10.96.0.1,IP:fd00:10:96::1
for ip; do san=$san,IP:$ip; done

private_key ca.key
openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj /CN=test-ca -out ca.crt \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,digitalSignature,cRLSign
certificate apiserver /CN=kube-apiserver serverAuth "$san"
certificate admin /O=system:masters/CN=admin clientAuth
certificate controller-manager /CN=system:kube-controller-manager clientAuth
certificate scheduler /CN=system:kube-scheduler clientAuth
certificate proxy /CN=system:kube-proxy clientAuth
certificate kubelet "/O=system:nodes/CN=system:node:$node" clientAuth,serverAuth "$san"
certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate front-proxy-client /CN=front-proxy-client clientAuth
private_key sa.key
openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
for user in admin controller-manager scheduler proxy kubelet; do kubeconfig "$user"; done
touch done

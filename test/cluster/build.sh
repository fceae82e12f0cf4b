#!/bin/bash
# Builds the test cluster's programs from the Go modules of go.mod and helm/go.mod into bin/.
#
#   build.sh                 all: the control plane, Helm, containerd, runc, the CNI plugins, pause
#   build.sh control-plane   only etcd, the Kubernetes components, kubectl and Helm (no C compiler)
#
# Does nothing if the programs were already built from the same sources. Exit code 3: this machine lacks requirements of
# the build (the last line on stderr names them).
set -euo pipefail
cd "$(dirname "$0")"

readonly what=${1:-all}
readonly bin=$PWD/bin
readonly packages=(build-essential libseccomp-dev pkg-config)

lacking() {
  echo "test cluster: $1" >&2
  exit 3
}

require_go() {
  command -v go >/dev/null || lacking "no Go on PATH; go.mod needs $(awk '$1 == "go" { print $2 }' go.mod) or newer"
  # Fails if this Go is older than go.mod requires and may not fetch a newer one.
  go list -m >/dev/null 2>&1 || lacking "this Go is too old; go.mod needs $(awk '$1 == "go" { print $2 }' go.mod) or newer"
}

# runc is a cgo program; the rest is plain Go.
require_c() {
  command -v cc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists libseccomp && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || lacking "install ${packages[*]}"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "${packages[@]}" >/dev/null ||
    lacking "cannot install ${packages[*]}"
}

# fingerprint FILE...: prints a hash of these sources and of the compiler
fingerprint() {
  { go version && sha256sum build.sh "$@"; } | sha256sum | cut -c1-64
}

# once NAME FUNCTION FILE...: runs FUNCTION unless bin/ contains its results for the same sources.
once() {
  local -r name=$1 build=$2 stamp=$bin/.$1
  shift 2
  [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint "$@")" ] || return 0
  echo "test cluster: building $name (minutes when Go's build cache is cold)" >&2
  "$build"
  fingerprint "$@" >"$stamp"
}

compile() { nice go build -trimpath "$@"; }

build_kubernetes() {
  local version minor
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=${version#v1.}
  minor=${minor%%.*}
  local -r package=k8s.io/component-base/version
  CGO_ENABLED=0 compile -o "$bin/kube" -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 \
    -X $package.gitMinor=$minor -X $package.gitTreeState=clean" .
}

# Helm and judge are a separate module, so that their dependencies do not change those of Kubernetes.
build_helm() (
  cd helm
  local version
  version=$(go list -m -f '{{.Version}}' helm.sh/helm/v4)
  CGO_ENABLED=0 compile -o "$bin/helm" -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" \
    helm.sh/helm/v4/cmd/helm
  CGO_ENABLED=0 compile -o "$bin/judge" -ldflags '-s -w' ./judge
)

build_node() {
  require_c
  CGO_ENABLED=0 compile -ldflags '-s -w' -tags no_btrfs,no_zfs,no_devmapper -o "$bin/" \
    github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr} \
    github.com/containernetworking/plugins/plugins/{main/bridge,main/loopback,ipam/host-local} \
    ./pause
  CGO_ENABLED=1 compile -ldflags '-s -w' -tags seccomp -o "$bin/runc" github.com/opencontainers/runc
  archive_pause
}

# The image that keeps a Pod's namespaces, under the name that node-init.sh uses.
archive_pause() {
  local root
  root=$(mktemp -d)
  mv "$bin/pause" "$root/pause"
  ../../tools/oci-archive.sh "$root" test.local/pause:1 "$bin/pause.tar" '{"Entrypoint":["/pause"]}'
  rm -r "$root"
}

require_go
mkdir -p "$bin"
exec 9>"$bin/.lock" # one build at a time; the others then find it up to date
flock 9
once kubernetes build_kubernetes go.mod go.sum main.go
once helm build_helm helm/go.mod helm/go.sum helm/judge/*.go
[ "$what" = control-plane ] || once node build_node go.mod go.sum pause/main.go

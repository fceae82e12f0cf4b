#!/bin/bash
# host-packages.sh [FOLDER [ARCHITECTURE NODE]]: builds the packages for hosts from dist/ (see `make build`): a tarball for
# /usr/local, and a Debian package where dpkg-deb is installed, into FOLDER, dist/host by default. Both contain Node.js, the
# program and a systemd unit. ARCHITECTURE is x64 or arm64, and NODE the Node.js of it; by default those that run this.
# Equal sources give equal bytes; files are as old as SOURCE_DATE_EPOCH, by default 0.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(node -p 'require("./package.json").version')
folder=${1:-dist/host}
architecture=${2:-$(node -p process.arch)}
node=${3:-$(node -p process.execPath)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}

# tree FOLDER PREFIX: lays out what belongs below PREFIX, such as /usr
tree() {
  local home=$1/lib/realm-operator
  mkdir -p "$1"/{bin,lib/systemd/system,lib/sysusers.d,share/doc/realm-operator} "$home"
  cp "$node" "$home/node"
  tools/strip-debug.sh "$home/node"
  cp -r dist/realm-operator.js dist/chunks "$home/"
  echo '{"type":"module"}' >"$home/package.json"
  cp packaging/launcher "$1/bin/realm-operator"
  cp bin/kubectl-realm "$1/bin/"
  sed "s|@PREFIX@|$2|" packaging/realm-operator.service >"$1/lib/systemd/system/realm-operator.service"
  cp packaging/sysusers.conf "$1/lib/sysusers.d/realm-operator.conf"
  completion bash "$1/share/bash-completion/completions/realm-operator"
  completion fish "$1/share/fish/vendor_completions.d/realm-operator.fish"
  completion zsh "$1/share/zsh/site-functions/_realm-operator"
  cp -r examples/web.yaml CHANGELOG.md "$1/share/doc/realm-operator/"
  cat LICENSE "$(dirname "$(node -p process.execPath)")/../LICENSE" >"$1/share/doc/realm-operator/copyright"
  chmod -R u=rwX,go=rX "$1"
}

# completion SHELL FILE
completion() {
  mkdir -p "$(dirname "$2")"
  node dist/realm-operator.js completion "$1" >"$2"
}

tarball() {
  local name=realm-operator-$version-linux-$architecture
  tree "$work/$name" /usr/local
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -C "$work" -c "$name" |
    gzip -n >"$folder/$name.tar.gz"
}

debian_package() {
  local root=$work/debian debian
  case $architecture in x64) debian=amd64 ;; *) debian=$architecture ;; esac
  mkdir -p "$root/etc/realm-operator" "$root/usr"
  mv "$work"/realm-operator-*/* "$root/usr/"
  sed -i 's|/usr/local/bin/|/usr/bin/|' "$root/usr/lib/systemd/system/realm-operator.service"
  mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions" # by the policy of Debian's zsh
  mkdir "$root/DEBIAN"
  cp packaging/debian/* "$root/DEBIAN/"
  cat >"$root/DEBIAN/control" <<CONTROL
Package: realm-operator
Version: $version
Architecture: $debian
Maintainer: realm-operator maintainers <maintainers@realm-operator.dev>
Section: net
Priority: optional
Homepage: https://github.com/realm-operator/realm-operator
Depends: libc6 (>= 2.28), libstdc++6 (>= 8), libatomic1
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
Description: dual-stack TCP and UDP relays
 Relays TCP and UDP, IPv4 and IPv6 side by side on one port, from RealmRelay
 manifests in /etc/realm-operator or from configurations of Realm. Checks such
 manifests, and runs the Kubernetes operator for them. Brings its own Node.js.
CONTROL
  dpkg-deb --root-owner-group -Zgzip -z6 --build "$root" "$folder/realm-operator_${version}_$debian.deb" >/dev/null
}

mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tarball
if command -v dpkg-deb >/dev/null; then debian_package; fi

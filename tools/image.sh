#!/bin/bash
# image.sh: the image of the programs as an OCI archive, dist/image/realm-operator.tar, made without a container
# engine: the pinned Node with the libraries it is linked to, and dist/. The Containerfile makes the same for a registry.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(node -p 'require("./package.json").version')
node=$(node -p process.execPath)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{app,etc,usr/local/bin}
cp "$node" "$root/usr/local/bin/node"
strip --strip-debug "$root/usr/local/bin/node" 2>/dev/null || true # smaller, where there is a strip
for library in $(ldd "$node" | grep -o '/[^ ]*'); do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >"$root/etc/passwd"
echo 'nonroot:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

cp -r dist/*.js dist/chunks "$root/app/"
echo '{"type":"module"}' >"$root/app/package.json"
for program in realm-operator realm; do
  sed -i '1s|^#!.*|#!/usr/local/bin/node|' "$root/app/$program.js" # there is no env in here
  ln -s "/app/$program.js" "$root/usr/local/bin/$program"
done

tools/oci-archive.sh "$root" "ghcr.io/realm-operator/realm-operator:$version" dist/image/realm-operator.tar \
  '{"Entrypoint":["realm-operator"],"User":"65532:65532","WorkingDir":"/","Env":["PATH=/usr/local/bin","NODE_ENV=production"]}'

#!/bin/bash
# image.sh [FOLDER]: builds the image of the programs without a container engine: FOLDER/rootfs, its root file system (the
# pinned Node.js, the libraries that it is linked to, and dist/), and FOLDER/realm-operator.tar, an OCI archive of it.
# FOLDER is dist/image by default. Equal sources give equal bytes. The Containerfile uses the same root file system.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(node -p 'require("./package.json").version')
node=$(node -p process.execPath)
folder=${1:-dist/image}
root=$folder/rootfs

rm -rf "$root"
mkdir -p "$root"/{app,etc,usr/local/bin}
cp "$node" "$root/usr/local/bin/node"
strip --strip-debug "$root/usr/local/bin/node" 2>/dev/null || true # smaller, if strip is installed
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
  # The image has no env. SIGUSR1 must not open Node's debugger, not even while the program starts.
  sed -i '1s|^#!.*|#!/usr/local/bin/node --disable-sigusr1|' "$root/app/$program.js"
  ln -s "/app/$program.js" "$root/usr/local/bin/$program"
done

tools/oci-archive.sh "$root" "ghcr.io/realm-operator/realm-operator:$version" "$folder/realm-operator.tar" \
  '{"Entrypoint":["realm-operator"],"User":"65532:65532","WorkingDir":"/","Env":["PATH=/usr/local/bin","NODE_ENV=production"]}'

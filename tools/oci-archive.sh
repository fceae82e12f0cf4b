#!/bin/bash
# oci-archive.sh ROOTFS NAME:TAG OUT.tar CONFIG-JSON [ARCHITECTURE]: writes an OCI image archive with one layer, the folder
# ROOTFS. CONFIG-JSON is the "config" of the OCI image specification, and ARCHITECTURE this machine's by default. Equal input
# gives an equal archive.
set -euo pipefail

readonly root=$1 name=$2 out=$3 config=$4
readonly types=application/vnd.oci.image
case ${5:-$(uname -m)} in
  x86_64 | x64) architecture=amd64 ;;
  aarch64 | arm64) architecture=arm64 ;;
  *) architecture=${5:-$(uname -m)} ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/blobs/sha256"

archive() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf "$2" "${@:3}"; }

# blob FILE: moves FILE to the blobs and prints its digest
blob() {
  local digest
  digest=$(sha256sum "$1" | cut -c1-64)
  mv "$1" "$work/blobs/sha256/$digest"
  echo "$digest"
}

# descriptor TYPE DIGEST: prints JSON without the closing brace
descriptor() {
  printf '{"mediaType":"%s","digest":"sha256:%s","size":%s' "$1" "$2" "$(stat -c %s "$work/blobs/sha256/$2")"
}

archive "$root" "$work/layer" .
layer=$(blob "$work/layer")
printf '{"architecture":"%s","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
  "$architecture" "$config" "$layer" >"$work/config"
image=$(blob "$work/config")
printf '{"schemaVersion":2,"mediaType":"%s","config":%s},"layers":[%s}]}' "$types.manifest.v1+json" \
  "$(descriptor $types.config.v1+json "$image")" "$(descriptor $types.layer.v1.tar "$layer")" >"$work/manifest"
manifest=$(blob "$work/manifest")
printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s,"annotations":{%s}}]}' "$types.index.v1+json" \
  "$(descriptor $types.manifest.v1+json "$manifest")" \
  "$(printf '"io.containerd.image.name":"%s","org.opencontainers.image.ref.name":"%s"' "$name" "${name##*:}")" \
  >"$work/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' >"$work/oci-layout"
mkdir -p "$(dirname "$out")"
archive "$work" "$out" oci-layout index.json blobs

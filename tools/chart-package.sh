#!/bin/bash
# chart-package.sh: packs the Helm chart into dist/chart/, as `helm push FILE oci://REGISTRY` takes it. Equal sources give equal
# bytes; files are as old as SOURCE_DATE_EPOCH, by default 0. HELM is the program, by default that of the test cluster.
set -euo pipefail
cd "$(dirname "$0")/.."

helm=${HELM:-test/cluster/bin/helm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$helm" lint --strict --quiet charts/realm-operator
"$helm" package charts/realm-operator --destination "$work" >/dev/null
file=$(basename "$work"/*.tgz)
tar -xzf "$work/$file" -C "$work"
mkdir -p dist/chart
# Helm writes the time of packing into the archive.
tar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner -C "$work" -c realm-operator |
  gzip -n >"dist/chart/$file"

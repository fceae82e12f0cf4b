#!/bin/bash
# Fetches the CustomResourceDefinitions of Argo CD and Flux from their own Go modules into bin/crds/.
#
# They belong to other projects, so only their checksums are kept here. Does nothing if they are up to date. If a machine
# cannot fetch them, or has no Go, the tests that need them are skipped with that reason.
set -euo pipefail
cd "$(dirname "$0")"

readonly crds=$PWD/bin/crds
# module, version, checksum, and the file in the module
readonly wanted='
github.com/argoproj/argo-cd/v3 v3.5.7 h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0= manifests/crds/application-crd.yaml
github.com/fluxcd/helm-controller v1.4.3 h1:449LcGJXLCylvrNCq8ycevwa5mxE1Mn9vxTwlsj/no8= config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml
github.com/fluxcd/kustomize-controller v1.9.6 h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE= config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml
github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml
github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_buckets.yaml
github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_externalartifacts.yaml
github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml
'

# json FIELD: prints this field from the JSON of `go mod download`
json() { sed -n "s/^\t\"$1\": \"\(.*\)\",\{0,1\}$/\1/p"; }

# fetch MODULE VERSION SUM FILE: copies the file into $new if the module has this checksum.
fetch() {
  local answer sum folder
  answer=$(cd "$new" && GOFLAGS=-mod=mod GOWORK=off go mod download -json "$1@$2") || return 1
  sum=$(json Sum <<<"$answer")
  [ "$sum" = "$3" ] || { echo "test cluster: $1@$2 has the sum $sum, not $3" >&2 && exit 1; }
  folder=$(json Dir <<<"$answer")
  install -m 644 "$folder/$4" "$new/"
}

stamp=$(sha256sum fetch-crds.sh | cut -c1-64)
[ "$(cat "$crds/.stamp" 2>/dev/null)" != "$stamp" ] || exit 0
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
while read -r module version sum file; do
  fetch "$module" "$version" "$sum" "$file" || {
    echo "test cluster: no $module@$version, so the examples for Argo CD and Flux are not tried" >&2
    exit 0
  }
done < <(sed '/^$/d' <<<"$wanted")
mkdir -p bin
rm -rf "$crds"
cp -r "$new" "$crds"
chmod 755 "$crds"
echo "$stamp" >"$crds/.stamp"

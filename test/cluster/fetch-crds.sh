#!/bin/bash
# Fetches the CustomResourceDefinitions of Argo CD and Flux from their own Go modules into bin/crds/, and those of the Gateway
# API into bin/gateway-crds/.
#
# They belong to other projects, so only their checksums are kept here. Does nothing if they are up to date. If a machine
# cannot fetch them, or has no Go, the tests that need them are skipped with that reason.
set -euo pipefail
cd "$(dirname "$0")"

readonly bin=$PWD/bin
# folder, module, version, checksum, and the files in the module
readonly wanted='
crds github.com/argoproj/argo-cd/v3 v3.5.7 h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0= manifests/crds/application-crd.yaml
crds github.com/fluxcd/helm-controller v1.4.3 h1:449LcGJXLCylvrNCq8ycevwa5mxE1Mn9vxTwlsj/no8= config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml
crds github.com/fluxcd/kustomize-controller v1.9.6 h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE= config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml
crds github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml
gateway-crds sigs.k8s.io/gateway-api v1.6.3 h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc= config/crd/standard/gateway.networking.k8s.io_{gatewayclasses,gateways,tcproutes,tlsroutes,udproutes,referencegrants}.yaml
crds github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_buckets.yaml
crds github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_externalartifacts.yaml
crds github.com/fluxcd/source-controller v1.9.6 h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc= config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml
'

# json FIELD: prints this field from the JSON of `go mod download`
json() { sed -n "s/^\t\"$1\": \"\(.*\)\",\{0,1\}$/\1/p"; }

# fetch FOLDER MODULE VERSION SUM FILES: copies the files into $new/FOLDER if the module has this checksum.
fetch() {
  local answer sum module files
  answer=$(cd "$new" && GOFLAGS=-mod=mod GOWORK=off go mod download -json "$2@$3") || return 1
  sum=$(json Sum <<<"$answer")
  [ "$sum" = "$4" ] || { echo "test cluster: $2@$3 has the sum $sum, not $4" >&2 && exit 1; }
  module=$(json Dir <<<"$answer")
  eval "files=($module/$5)" # for the braces
  mkdir -p "$new/$1"
  install -m 644 "${files[@]}" "$new/$1/"
}

stamp=$(sha256sum fetch-crds.sh | cut -c1-64)
[ "$(cat "$bin/crds/.stamp" 2>/dev/null)" != "$stamp" ] || exit 0
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
while read -r folder module version sum files; do
  fetch "$folder" "$module" "$version" "$sum" "$files" || {
    echo "test cluster: no $module@$version, so the tests that need the kinds of other projects are skipped" >&2
    exit 0
  }
done < <(sed '/^$/d' <<<"$wanted")
mkdir -p "$bin"
for folder in "$new"/*/; do
  target=$bin/$(basename "$folder")
  rm -rf "$target"
  cp -r "$folder" "$target"
  chmod 755 "$target"
done
echo "$stamp" >"$bin/crds/.stamp"

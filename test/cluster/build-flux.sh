#!/bin/bash
# Builds Flux's kustomize-controller from the Go modules of flux/go.mod into bin/, for the tests of `make e2e-full`.
#
# A script of its own, because it takes minutes that no other test needs. Does nothing if it was built from the same sources. Exit
# code 3: this machine has no Go, or the module proxy has no such module; the tests of Flux are then skipped.
set -euo pipefail
cd "$(dirname "$0")"

readonly bin=$PWD/bin
stamp=$({ go version && sha256sum build-flux.sh flux/go.mod flux/go.sum; } | sha256sum | cut -c1-64) || exit 3

[ "$(cat "$bin/.flux" 2>/dev/null)" != "$stamp" ] || exit 0
echo "test cluster: building Flux's kustomize-controller (minutes when Go's build cache is cold)" >&2
cd flux
go mod download >/dev/null || exit 3
CGO_ENABLED=0 nice go build -trimpath -ldflags '-s -w' -o "$bin/kustomize-controller" github.com/fluxcd/kustomize-controller
echo "$stamp" >"$bin/.flux"

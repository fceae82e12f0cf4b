#!/bin/bash
# Builds actionlint, which checks the workflows of GitHub, into test/cluster/bin/. Go's cache makes it fast the next time.
set -euo pipefail
cd "$(dirname "$0")"
CGO_ENABLED=0 nice go build -trimpath -ldflags '-s -w' -o ../cluster/bin/actionlint github.com/rhysd/actionlint/cmd/actionlint

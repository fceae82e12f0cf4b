#!/bin/bash
# strip-debug.sh FILE: makes an executable smaller, if a strip that knows its architecture is installed.
set -euo pipefail

for strip in strip aarch64-linux-gnu-strip x86_64-linux-gnu-strip; do
  if "$strip" --strip-debug "$1" 2>/dev/null; then break; fi
done

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Turns of the event loop during freezes, under Wine: turns.sh [freezes]. After test/windows/run.sh, which makes what it needs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/test/windows/environment.sh"
trap '"$WINESERVER" -k || true' EXIT
out=$(mktemp)
windows_node "$(windows_path "$root/bench/windows/turns.ts")" "${1:-200}" >"$out" 2>&1 || cat "$out" >&2
cat "$out"
rm -f "$out"

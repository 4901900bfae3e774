#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tests of the Windows backend, under Wine. `run.sh [file.test.ts ...]` runs some of those in this folder, without
# arguments all of them and those that drive Wine from outside. Installs what is missing from Debian and npm.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
source "$here/environment.sh"

need=()
[ -x "$WINE" ] || need+=(wine wine64)
command -v x86_64-w64-mingw32-g++ >/dev/null || need+=(g++-mingw-w64-x86-64 mingw-w64-tools)
command -v wixl >/dev/null || need+=(wixl msitools)
if [ ${#need[@]} -gt 0 ]; then
  # Another installation may be on.
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi

if ! cmp -s "$here/runtime/package-lock.json" "$here/runtime/node_modules/.installed"; then
  (cd "$here/runtime" && npm ci --os=win32 --cpu=x64 --silent)
  cp "$here/runtime/package-lock.json" "$here/runtime/node_modules/.installed"
fi

if [ ! -f "$WINEPREFIX/system.reg" ]; then
  mkdir -p "$WINEPREFIX"
  "$WINE" wineboot -i >/dev/null 2>&1
  "$WINE" winecfg -v win10 >/dev/null 2>&1
  # Services have the environment of the registry, not this one.
  "$WINE" reg add 'HKLM\System\CurrentControlSet\Control\Session Manager\Environment' /v NODE_PATH /d "$NODE_PATH" /f >/dev/null 2>&1
  # A service has 10 s to begin, and Node under Wine on a busy machine may take longer.
  "$WINE" reg add 'HKLM\System\CurrentControlSet\Control' /v ServicesPipeTimeout /d 60000 /f >/dev/null 2>&1
  "$WINESERVER" -w
fi

export PATH="$root/node_modules/.bin:$PATH"
node "$here/host/build.ts"
# The agent as it is shipped: what it is started from in the tests.
node "$root/scripts/build-bundle.ts" >/dev/null

# Ends what runs in this prefix, and nothing else.
trap '"$WINESERVER" -k || true' EXIT
status=0

if [ $# -eq 0 ]; then
  node --test --test-concurrency=1 "$here"/host/*.test.ts || status=$?
  set -- "$here"/*.test.ts
fi

files=()
for file in "$@"; do files+=("$(windows_path "$(realpath "$file")")"); done
out=$(mktemp)
windows_node --test --test-concurrency=1 --test-timeout=180000 --test-reporter=spec "${files[@]}" >"$out" 2>&1 || status=$?
cat "$out"
rm -f "$out"
exit "$status"

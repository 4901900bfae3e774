#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 7.2.22, 10.0.13 and 11.1.3 (Debian, 2026-11-30): the first guest-exec-status that says `exited` takes the record of
# the program with it. A host whose answer got lost and that asks again is told that the process is unknown, and since 10.0 in
# words that do not even name it: `PID ld does not exist`, whatever the number (7.2: `Invalid parameter 'pid'`).
#
# Seen:
#   first time:                                          {"return": {"exitcode": 7, "exited": true}}
#   second time:                                         PID ld does not exist
#   a number that never was:                             PID ld does not exist
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

pid=$(echo '{"execute":"guest-exec","arguments":{"path":"/bin/sh","arg":["-c","exit 7"]}}' | ask ga | grep -o '[0-9]\+')
asked() { echo "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$1}}" | ask ga; }
expect 'first time' "$(asked "$pid")" '{"return": {"exitcode": 7, "exited": true}}'
expect 'second time' "$(asked "$pid" | desc)" 'PID ld does not exist'
expect 'a number that never was' "$(asked 4194305 | desc)" 'PID ld does not exist'

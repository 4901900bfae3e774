#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 11.1.3 (Debian trixie-backports, 2026-11-30): of a value with too many tokens or levels 11.1 tells one error and passes over
# the rest. A string of more than 64 MiB is another matter: at the limit it tells the error and then reads what follows of the string
# as if tokens began there. Capital letters of base64 are stray, up to the bracket behind the string: so one guest-file-write that is
# too long gets three answers, and a host that takes the next answer for that of its next request is out of step.
#
# Seen:
#   answers to a write of 64 MiB and a bit of base64:    3
#   the first:                                           JSON token size limit exceeded
#   the other two:                                       expecting value, expecting value
#   answers to a list of 1025 levels:                    1
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

python3 -c '
import sys
sys.stdout.write("{\"execute\":\"guest-file-write\",\"arguments\":{\"handle\":1000,\"buf-b64\":\"" + "QUJD" * (16 * 1024 * 1024 + 100) + "\"}}\n")' >"$work/request"
# The limit is reached in the middle of the request: all of it has to be there before the answers are looked at.
answers=$(cat "$work/request" | ask ga | desc | sed 's/^.*JSON parse error, //')
expect 'answers to a write of 64 MiB and a bit of base64' "$(wc -l <<<"$answers")" 3
expect 'the first' "$(head -n 1 <<<"$answers")" 'JSON token size limit exceeded'
expect 'the other two' "$(tail -n 2 <<<"$answers" | paste -sd, | sed 's/,/, /')" 'expecting value, expecting value'
expect 'answers to a list of 1025 levels' "$(python3 -c 'print("[" * 1025 + "]" * 1025)' | ask ga | desc | wc -l)" 1

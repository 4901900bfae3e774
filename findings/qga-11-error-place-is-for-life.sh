#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 11.1.3 (Debian trixie-backports, 2026-11-30): a parse error begins with line and column, and both are counted over
# the whole life of the agent, across connections. A new client whose very first byte is wrong is told of line 2, 3, 56: the
# lines that other clients have sent are counted too, and half a line that somebody left moves the column.
#
# Seen:
#   first client, first byte:                            1:1: JSON parse error, expecting value
#   second client, first byte:                           2:1: JSON parse error, expecting value
#   third client, behind half a line of the second:      3:4: JSON parse error, expecting value
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

expect 'first client, first byte' "$(printf '}\n' | ask ga | desc)" '1:1: JSON parse error, expecting value'
expect 'second client, first byte' "$(printf '}\n   ' | ask ga | desc)" '2:1: JSON parse error, expecting value'
expect 'third client, behind half a line of the second' "$(printf '}\n' | ask ga | desc)" '3:4: JSON parse error, expecting value'

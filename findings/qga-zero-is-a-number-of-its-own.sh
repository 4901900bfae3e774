#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 11.1.3 (Debian trixie-backports, 2026-11-30; 7.2 and 10.0 alike but for the place in front): what follows a zero
# decides in an odd way. A digit makes both one bad token: `007` is the stray token `00`, and the 7 is skipped. An `e` does not
# belong to the number at all: `0e1`, good JSON for 0.0, is the number 0, the word `e` and the number 1, while `1e1` and `0.0e1`
# are numbers.
#
# Seen:
#   [007]:                                               stray '00'
#   [0e1]:                                               expected ',' or ']'
#   [0.0e1]:                                             QMP input must be a JSON object
#   [1e1]:                                               QMP input must be a JSON object
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

# A list is no request; that it is told so means that it was read.
told() { printf '%s\n' "$1" | ask ga | desc | head -n 1 | sed 's/^.*JSON parse error, //'; }
expect '[007]' "$(told '[007]')" "stray '00'"
expect '[0e1]' "$(told '[0e1]')" "expected ',' or ']'"
expect '[0.0e1]' "$(told '[0.0e1]')" 'QMP input must be a JSON object'
expect '[1e1]' "$(told '[1e1]')" 'QMP input must be a JSON object'

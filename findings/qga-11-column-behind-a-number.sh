#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 11.1.3 (Debian trixie-backports, 2026-11-30): the column of a parse error is one too high where the token that is
# wrong follows a number or a word without a blank, or ends the text that the parser skips after a stray byte. The parser has
# looked at that byte twice. With a blank in between the column is right: so `[1"a"]` and `[1 "a"]` name the same column.
#
# Seen:
#   [1"a"]   the string is at column 3:                  4: JSON parse error, expected ',' or ']'
#   [1 "a"]  the string is at column 4:                  4: JSON parse error, expected ',' or ']'
#   ["b""a"] the string is at column 5:                  5: JSON parse error, expected ',' or ']'
#   @@}      the bracket is at column 3:                 4: JSON parse error, expecting value
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

# The lines of the agent's whole life are counted (qga-11-error-place-is-for-life.sh): only the column is shown.
column() { printf '%s\n' "$1" | ask ga | desc | sed 's/^[0-9]*://' | tail -n 1; }
expect '[1"a"]   the string is at column 3' "$(column '[1"a"]')" "4: JSON parse error, expected ',' or ']'"
expect '[1 "a"]  the string is at column 4' "$(column '[1 "a"]')" "4: JSON parse error, expected ',' or ']'"
expect '["b""a"] the string is at column 5' "$(column '["b""a"]')" "5: JSON parse error, expected ',' or ']'"
expect '@@}      the bracket is at column 3' "$(column '@@}')" '4: JSON parse error, expecting value'

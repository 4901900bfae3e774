#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 7.2.22, 10.0.13 and 11.1.3 (Debian bookworm, trixie, trixie-backports, 2026-11-30): a number as `id` of a request is
# not echoed, it is read as a C double and printed anew with 17 digits. 1.0 comes back as 1, 0.1 as 0.10000000000000001, a long
# integer rounded, and 1e400 as `inf`, which no JSON parser of a host reads. Whole numbers of up to 64 bits come back as sent.
#
# Seen (in each of the three):
#   1.0:                                                 {"return": {}, "id": 1}
#   0.1:                                                 {"return": {}, "id": 0.10000000000000001}
#   12345678901234567890123:                             {"return": {}, "id": 1.2345678901234568e+22}
#   -1e400:                                              {"return": {}, "id": -inf}
#   18446744073709551615:                                {"return": {}, "id": 18446744073709551615}
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1
agent "$work/root" ga

echoed() { printf '{"execute":"guest-ping","id":%s}\n' "$1" | ask ga; }
expect '1.0' "$(echoed 1.0)" '{"return": {}, "id": 1}'
expect '0.1' "$(echoed 0.1)" '{"return": {}, "id": 0.10000000000000001}'
expect '12345678901234567890123' "$(echoed 12345678901234567890123)" '{"return": {}, "id": 1.2345678901234568e+22}'
expect '-1e400' "$(echoed -1e400)" '{"return": {}, "id": -inf}'
expect '18446744073709551615' "$(echoed 18446744073709551615)" '{"return": {}, "id": 18446744073709551615}'

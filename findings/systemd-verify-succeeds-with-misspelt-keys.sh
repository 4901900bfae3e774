#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# systemd 257.13 (Debian trixie, 2026-11-30; 252.39 of bookworm alike): `systemd-analyze verify` of a unit with misspelt keys, an
# unknown section and values that can't be read says so on standard error and ends with status 0, as for a good unit. A script that
# asks for the status passes it. Any value of --recursive-errors, even `no`, makes the same complaints an error.
#
# Seen (the unit has Restrat=, TimeoutStopSec=5x and a section [Servise]):
#   complaints:                                          3
#   status:                                              0
#   status with --recursive-errors=no:                   1
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie systemd=257.13-1~deb13u1
printf '[Service]\nExecStart=/bin/sh -c true\nRestrat=always\nTimeoutStopSec=5x\n[Servise]\nUMask=0077\n' >"$work/odd.service"
verify() { (LD_LIBRARY_PATH='' in_root "$work/root" usr/bin/systemd-analyze verify "$@" "$work/odd.service"); }
in_root() {
  exec "$1/usr/lib64/ld-linux-x86-64.so.2" --library-path "$1/usr/lib/x86_64-linux-gnu:$1/usr/lib/x86_64-linux-gnu/systemd" "$1/$2" "${@:3}"
}

expect 'complaints' "$(verify 2>&1 | grep -c odd.service:)" 3
expect 'status' "$(status verify)" 0
expect 'status with --recursive-errors=no' "$(status verify --recursive-errors=no)" 1

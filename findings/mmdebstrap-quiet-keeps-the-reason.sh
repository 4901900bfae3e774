#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# mmdebstrap 1.3.5-7 of Debian 12 (2026-11-30): `--quiet` leaves out not only what goes well. Where apt cannot fetch anything, its
# error, the one line that says which server was asked and what became of it, is left out too: what remains says that a command has
# failed. Without the word the line is there.
#
# Seen:
#   status with --quiet:                                 25
#   lines that name the server, with --quiet:            0
#   all that is said, with --quiet:                      E: apt-get update --error-on=any ... failed|E: mmdebstrap failed to run
#   status without:                                      25
#   it says that the connection was refused:             yes
source "$(dirname "$0")/lib.sh" mounts
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root mmdebstrap=1.3.5-7 && dpkg -x mmdebstrap_*.deb "$work/root") || { echo 'mmdebstrap 1.3.5-7 is not to be had'; exit 2; }

# Nobody listens on the port `discard` of the loopback device.
make() {
  rm -rf "$work/system"
  http_proxy='' TMPDIR=$work perl "$work/root/usr/bin/mmdebstrap" --mode=root --variant=minbase "$@" trixie "$work/system" 'deb [trusted=yes] http://127.0.0.1:9/debian trixie main' 2>&1
}

quiet=$(make --quiet) && status=0 || status=$?
expect 'status with --quiet' "$status" 25
expect 'lines that name the server, with --quiet' "$(grep -c 127.0.0.1 <<<"$quiet" || true)" 0
expect 'all that is said, with --quiet' "$(sed 's/--error-on=any .* failed/--error-on=any ... failed/' <<<"$quiet" | paste -sd '|')" 'E: apt-get update --error-on=any ... failed|E: mmdebstrap failed to run'
loud=$(make) && status=0 || status=$?
expect 'status without' "$status" 25
expect 'it says that the connection was refused' "$(grep -q '^E: .*127.0.0.1.*refused' <<<"$loud" && echo yes || echo no)" yes

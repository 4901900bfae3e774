#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libvirt 12.9.0 and its driver `test` (Debian trixie-backports, 2026-11-30; 9.0.0 of bookworm alike): a second domfsfreeze of the same
# domain succeeds, with 0 file systems, and single mount points can be thawed. With a guest agent neither is so: qemu-ga refuses
# every command of a freeze but the thaw once it is frozen, and knows no thaw of one mount point. A backup tool tried out with
# test:///default has not met what it is for.
#
# Seen:
#   first freeze:                                        Froze 2 filesystem(s)
#   second freeze:                                       Froze 0 filesystem(s)
#   thaw of /boot alone:                                 Thawed 1 filesystem(s)
#   a mount point that is not there:                     mount point not found: /nope
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports libvirt-clients=12.9.0-1~bpo13+1
said=$( (in_root "$work/root" usr/bin/virsh -c test:///default 'domfsfreeze test; domfsfreeze test; domfsthaw test /boot; domfsfreeze test /nope' 2>&1) | grep . || true)

expect 'first freeze' "$(sed -n 1p <<<"$said")" 'Froze 2 filesystem(s)'
expect 'second freeze' "$(sed -n 2p <<<"$said")" 'Froze 0 filesystem(s)'
expect 'thaw of /boot alone' "$(sed -n 3p <<<"$said")" 'Thawed 1 filesystem(s)'
expect 'a mount point that is not there' "$(grep -o 'mount point not found.*' <<<"$said")" 'mount point not found: /nope'

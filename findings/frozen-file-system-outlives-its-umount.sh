#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, ext4, util-linux 2.38.1 (2026-11-30; the same on 6.1.176, 6.12.117 and 7.3.4): a frozen file system can be
# unmounted. It stays frozen without a mount, its loop device stays in use, nothing is left by which it could be thawed, and the
# next mount of the same device succeeds at once and is frozen still: the first write waits. A thaw of the new mount is what helps.
#
# Seen:
#   umount of the frozen file system:                    0
#   mount of the same device again:                      0
#   freeze of the new mount:                             fsfreeze: freeze failed: Device or resource busy
#   a write to the new mount, given a second:            still waiting
#   thaw of the new mount:                               0
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 32M
device=$(findmnt -no SOURCE "$work/ext4")

fsfreeze -f "$work/ext4"
expect 'umount of the frozen file system' "$(status umount "$work/ext4")" 0
expect 'mount of the same device again' "$(status mount "$device" "$work/ext4")" 0
expect 'freeze of the new mount' "$(fsfreeze -f "$work/ext4" 2>&1 | sed "s|$work/ext4: ||")" 'fsfreeze: freeze failed: Device or resource busy'
touch "$work/ext4/new" &
sleep 1
expect 'a write to the new mount, given a second' "$(kill -0 $! 2>/dev/null && echo still waiting)" 'still waiting'
expect 'thaw of the new mount' "$(status fsfreeze -u "$work/ext4")" 0
wait

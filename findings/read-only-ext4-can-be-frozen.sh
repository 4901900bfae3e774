#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, ext4, util-linux 2.38.1 (2026-11-30): an ext4 that is mounted read-only, to which nobody writes, can be frozen
# and trimmed all the same. What the freeze does hold up is the way back: `mount -o remount,rw` fails, with the words "mount point
# is busy", although no file is open. After a thaw it works.
#
# Seen:
#   freeze of the file system mounted read-only:         0
#   remount for writing while frozen:                    mount point is busy.
#   thaw:                                                0
#   remount for writing then:                            0
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 32M
mount -o remount,ro "$work/ext4"

expect 'freeze of the file system mounted read-only' "$(status fsfreeze -f "$work/ext4")" 0
expect 'remount for writing while frozen' "$(mount -o remount,rw "$work/ext4" 2>&1 | sed -n "1s|^.*ext4: ||p")" 'mount point is busy.'
expect 'thaw' "$(status fsfreeze -u "$work/ext4")" 0
expect 'remount for writing then' "$(status mount -o remount,rw "$work/ext4")" 0

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, util-linux 2.41.5-0+deb13u1 of Debian 13 (2026-11-30): where the node of the next loop device is missing, as in a /dev without
# devtmpfs, `losetup --find` prints its name with a remark behind it, on standard output and with status 0. A script that goes on
# with `$(losetup -f)` takes both for one path. util-linux 2.38.1 prints the name alone.
#
# Seen:
#   status of losetup --find:                            0
#   what it prints on standard output:                   /dev/loopN (lost)
#   such a file is there:                                1
source "$(dirname "$0")/lib.sh" mounts
debian "$work/root" trixie mount=2.41.5-0+deb13u1
mkdir "$work/dev"
mount -t tmpfs dev "$work/dev"
mknod -m 600 "$work/dev/loop-control" c 10 237
mknod -m 666 "$work/dev/null" c 1 3
mount --rbind "$work/dev" /dev
at_end+=("umount $work/dev" 'umount -l /dev')

name=$(in_root "$work/root" usr/sbin/losetup --find 2>/dev/null) && status=0 || status=$?
expect 'status of losetup --find' "$status" 0
expect 'what it prints on standard output' "$(sed 's/loop[0-9]*/loopN/' <<<"$name")" '/dev/loopN (lost)'
expect 'such a file is there' "$(status test -e "$name")" 1

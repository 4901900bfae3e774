#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, xfsprogs 6.1.0, util-linux 2.38.1 (2026-11-30): what `fstrim -v` reports of an xfs is the size of its device, whatever is
# in it. With 100 MiB of files, a log and the tables of its groups in 320 MiB it reports 320 MiB, more than the file system says it
# holds at all. The same in virtual machines with Linux 6.12 and 7.3; Linux 6.1 reports what is free. ext4 reports less than is free.
#
# Seen:
#   xfs trimmed, of a device of 335544320 bytes:         335544320
#   more than statfs(2) says is free:                    yes
#   ext4 trimmed, more than statfs(2) says is free:      no
source "$(dirname "$0")/lib.sh" mounts
file_system xfs 320M
file_system ext4 320M

trimmed() { fstrim -v "$work/$1" | sed 's/.*(\([0-9]*\) bytes.*/\1/'; }
fill() { head -c 100M /dev/zero >"$work/$1/file" && sync -f "$work/$1"; }
free_bytes() { stat -f -c '%f %S' "$work/$1" | { read -r blocks size && echo $((blocks * size)); }; }
more() { if [ "$1" -gt "$2" ]; then echo yes; else echo no; fi; }

fill xfs
xfs=$(trimmed xfs)
expect 'xfs trimmed, of a device of 335544320 bytes' "$xfs" 335544320
expect 'more than statfs(2) says is free' "$(more "$xfs" "$(free_bytes xfs)")" yes
fill ext4
expect 'ext4 trimmed, more than statfs(2) says is free' "$(more "$(trimmed ext4)" "$(free_bytes ext4)")" no

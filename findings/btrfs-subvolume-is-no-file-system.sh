#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, btrfs-progs 6.2, util-linux 2.38.1 (2026-11-30): two subvolumes of one btrfs, mounted side by side, look like two
# file systems: stat(2) gives two device numbers, statfs(2) two ids. But a freeze of one freezes the other too, the freeze of the
# second fails as busy, and one thaw, of whichever, thaws both. Only the device of mountinfo(5) says that they are one, and that
# number is none that stat(2) gives for either.
#
# Seen:
#   device numbers by stat:                              2
#   ids by statfs:                                       2
#   device numbers in mountinfo:                         1
#   of these among those by stat:                        0
#   freeze of the first, of the second:                  0 1
#   thaw of the second, of the first:                    0 1
source "$(dirname "$0")/lib.sh" mounts
file_system btrfs 128M
device=$(findmnt -no SOURCE "$work/btrfs")
for name in a b; do
  btrfs -q subvolume create "$work/btrfs/$name"
  mkdir "$work/$name"
  mount -o "subvol=$name" "$device" "$work/$name"
  at_end+=("umount -l $work/$name")
done

by_stat=$(stat -c %Hd:%Ld "$work/a" "$work/b" | sort -u)
in_mountinfo=$(awk -v a="$work/a" -v b="$work/b" '$5 == a || $5 == b { print $3 }' /proc/self/mountinfo | sort -u)
expect 'device numbers by stat' "$(wc -l <<<"$by_stat")" 2
expect 'ids by statfs' "$(stat -f -c %i "$work/a" "$work/b" | sort -u | wc -l)" 2
expect 'device numbers in mountinfo' "$(wc -l <<<"$in_mountinfo")" 1
expect 'of these among those by stat' "$(grep -cxF "$in_mountinfo" <<<"$by_stat" || true)" 0
expect 'freeze of the first, of the second' "$(status fsfreeze -f "$work/a") $(status fsfreeze -f "$work/b")" '0 1'
expect 'thaw of the second, of the first' "$(status fsfreeze -u "$work/b") $(status fsfreeze -u "$work/a")" '0 1'

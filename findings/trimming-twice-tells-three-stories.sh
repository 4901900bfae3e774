#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, util-linux 2.38.1 (2026-11-30): what `fstrim -v` reports is not what was freed. After a first trim a second one
# reports nothing on ext4, which remembers, everything again on xfs, and part of it on btrfs. A minimum that is larger than any
# free stretch is an error on ext4 and xfs and a success with 0 bytes on btrfs.
#
# Seen:
#   ext4, second trim:                                   0 bytes
#   xfs, second trim:                                    as the first
#   btrfs, second trim:                                  less than the first
#   minimum of 1 TiB on ext4, xfs, btrfs:                1 1 0
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 64M
file_system xfs 320M
file_system btrfs 128M

trimmed() { fstrim -v "$work/$1" | sed 's/.*(\([0-9]*\) bytes.*/\1/'; }
story() {
  local first second
  first=$(trimmed "$1") second=$(trimmed "$1")
  if [ "$second" = 0 ]; then echo '0 bytes'; elif [ "$second" = "$first" ]; then echo 'as the first'; else echo 'less than the first'; fi
}
expect 'ext4, second trim' "$(story ext4)" '0 bytes'
expect 'xfs, second trim' "$(story xfs)" 'as the first'
expect 'btrfs, second trim' "$(story btrfs)" 'less than the first'
expect 'minimum of 1 TiB on ext4, xfs, btrfs' "$(for one in ext4 xfs btrfs; do status fstrim -m 1T "$work/$one"; done | xargs)" '1 1 0'

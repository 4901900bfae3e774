#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, util-linux 2.38.1 (2026-11-30): `losetup -d` of a loop device with a mounted file system answers 0, and nothing
# happens: the device is still there, and is written to. It goes away by itself at the umount. And one image can be on two devices
# at a time without a word; `--nooverlap` then takes one of the two instead of a new one.
#
# Seen:
#   losetup -d of the mounted device:                    0
#   a write to the file system then:                     0
#   devices of the image before and after the umount:    1 0
#   devices after attaching the image twice:             2
#   devices after attaching it with --nooverlap:         2
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 32M
device=$(findmnt -no SOURCE "$work/ext4")
devices() { losetup --noheadings --list --output NAME --associated "$1" | wc -l; }

expect 'losetup -d of the mounted device' "$(status losetup -d "$device")" 0
expect 'a write to the file system then' "$(status touch "$work/ext4/new")" 0
before=$(devices "$work/ext4.image")
umount "$work/ext4"
expect 'devices of the image before and after the umount' "$before $(devices "$work/ext4.image")" '1 0'
for _ in 1 2; do at_end+=("losetup -d $(losetup --find --show "$work/ext4.image")"); done
expect 'devices after attaching the image twice' "$(devices "$work/ext4.image")" 2
losetup --find --show --nooverlap "$work/ext4.image" >/dev/null
expect 'devices after attaching it with --nooverlap' "$(devices "$work/ext4.image")" 2

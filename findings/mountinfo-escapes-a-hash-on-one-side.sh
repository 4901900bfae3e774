#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44 (2026-11-30): mountinfo(5) and /proc/mounts escape blank, tab, line feed and backslash in octal, and `#` too, as
# \043, but only in the source of a mount, not in its mount point. Whoever knows just the four escapes of proc(5) and compares the
# source with a path does not find it.
#
# Seen:
#   source and mount point of both 'a#b':                s\043x a#b
#   the same with a blank:                               s\040x a\040b
source "$(dirname "$0")/lib.sh" mounts
mkdir "$work/a#b" "$work/a b"
mount -t tmpfs 's#x' "$work/a#b"
mount -t tmpfs 's x' "$work/a b"
at_end+=("umount '$work/a#b'" "umount '$work/a b'")

expect "source and mount point of both 'a#b'" "$(awk -v w="$work/" 'index($2, w "a#") { sub(w, "", $2); print $1, $2 }' /proc/self/mounts)" 's\043x a#b'
expect 'the same with a blank' "$(awk -v w="$work/" 'index($2, w "a\\") { sub(w, "", $2); print $1, $2 }' /proc/self/mounts)" 's\040x a\040b'

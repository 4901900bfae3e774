#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, util-linux 2.38.1 (2026-11-30): what a descriptor is of in a mount namespace of somebody else's is named by
# /proc/self/fd as if it were here: the link has the path that it has over there, unmarked, and that very path leads to another
# file here, or to none. getcwd(2) of the same mount says "(unreachable)". Only the mount's number tells: `mnt_id` in
# /proc/self/fdinfo is in no line of /proc/self/mountinfo. Who judges a file by its path has to look for the number first.
#
# Seen:
#   the link of the descriptor:                          DIR/there/file
#   what is at that path here:                           of this namespace
#   what the descriptor reads:                           of the other namespace
#   lines of mountinfo with its mnt_id:                  0
#   getcwd of its directory:                             (unreachable)DIR/there
source "$(dirname "$0")/lib.sh"
mkdir "$work/there"
echo 'of this namespace' > "$work/there/file"
mkfifo "$work/ready"
unshare --mount --propagation private sh -c "mount -t tmpfs none '$work/there' && echo 'of the other namespace' > '$work/there/file' && echo yes > '$work/ready' && exec sleep 60" &
other=$!
at_end+=("kill $other")
read -r _ < "$work/ready"

exec 7< "/proc/$other/root$work/there/file"
expect 'the link of the descriptor' "$(readlink /proc/$$/fd/7 | sed "s|$work|DIR|")" 'DIR/there/file'
expect 'what is at that path here' "$(cat "$(readlink /proc/$$/fd/7)")" 'of this namespace'
expect 'what the descriptor reads' "$(cat <&7)" 'of the other namespace'
id=$(sed -n 's/^mnt_id:[[:space:]]*//p' "/proc/$$/fdinfo/7")
expect 'lines of mountinfo with its mnt_id' "$(grep -c "^$id " /proc/self/mountinfo || true)" 0
expect 'getcwd of its directory' "$(cd "/proc/$other/root$work/there" && python3 -c 'import ctypes; b = ctypes.create_string_buffer(4096); libc = ctypes.CDLL(None); libc.syscall(79, b, 4096); print(b.value.decode())' | sed "s|$work|DIR|")" '(unreachable)DIR/there'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, ext4 (2026-11-30; the same on 6.1.176, 6.12.117 and 7.3.4): on a frozen file system also calls wait that change
# nothing. `mkdir -p` of a directory that is there, as scripts do before they look for something, waits uninterruptibly until the
# thaw, because mkdir(2) asks for the right to write before it looks for the name. So does `rm -f` of a file that is not there.
# What asks another question first does not wait: test, stat, ls, df, even sync.
#
# Seen (each given a second):
#   mkdir -p of a directory that is there:               waits
#   rm -f of a file that is not there:                   waits
#   test -d || mkdir -p:                                 is done
#   sync -f:                                             is done
#   fstrim:                                              is done
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 32M
mkdir "$work/ext4/there"
fsfreeze -f "$work/ext4"

# What still waits is let go by the thaw at the end.
within_a_second() {
  "$@" >/dev/null 2>&1 &
  for _ in {1..10}; do
    kill -0 $! 2>/dev/null || { echo 'is done'; return; }
    sleep 0.1
  done
  echo waits
}
expect 'mkdir -p of a directory that is there' "$(within_a_second mkdir -p "$work/ext4/there")" waits
expect 'rm -f of a file that is not there' "$(within_a_second rm -f "$work/ext4/nothing")" waits
expect 'test -d || mkdir -p' "$(within_a_second sh -c "test -d '$work/ext4/there' || mkdir -p '$work/ext4/there'")" 'is done'
expect 'sync -f' "$(within_a_second sync -f "$work/ext4/there")" 'is done'
expect 'fstrim' "$(within_a_second fstrim "$work/ext4")" 'is done'
fsfreeze -u "$work/ext4"

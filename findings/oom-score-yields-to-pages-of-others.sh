#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, control groups of version 1 or 2 (2026-11-30): oom_score_adj 1000 does not make a program the first to be killed when
# the memory of a small control group runs out. The score adds the group's limit for it; but it also counts every resident page of
# a program, those of files and libraries too that are charged to another group and of which nothing is gained. In a group of 32 MiB
# a bystander that maps 96 MiB of a file which others have read, and was charged next to nothing, dies in place of the program
# that fills the group and offers itself.
#
# Seen:
#   charged to the group with the bystander alone, MiB < 8: yes
#   the program that fills the group, score 1000:        alive
#   the bystander, score 0:                              killed
source "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo 'needs root'; exit 2; }
name=concierge-finding-$$
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/$name limit=memory.max used=memory.current
  echo +memory >/sys/fs/cgroup/cgroup.subtree_control || { echo 'no control group for memory here'; exit 2; }
else
  group=/sys/fs/cgroup/memory/$name limit=memory.limit_in_bytes used=memory.usage_in_bytes
fi
mkdir "$group" 2>/dev/null || { echo 'no control group for memory here'; exit 2; }
at_end+=("sleep 0.2; rmdir $group")
[ ! -e "$group/memory.swap.max" ] || echo 0 >"$group/memory.swap.max"
echo $((32 * 1024 * 1024)) >"$group/$limit"

head -c $((96 * 1024 * 1024)) /dev/zero >"$work/file"
cat "$work/file" >/dev/null

# in_group ADJUSTMENT PYTHON: starts it in the group; its number is in $!.
in_group() { sh -c 'echo $$ >"$0/cgroup.procs"; echo "$1" >/proc/self/oom_score_adj; exec python3 -c "$2"' "$group" "$1" "$2" & }
in_group 0 "
import mmap, time
file = open('$work/file', 'rb')
pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(pages[at] for at in range(0, len(pages), 4096))
open('$work/mapped', 'w')
time.sleep(60)"
bystander=$!
at_end+=("kill -9 $bystander; wait $bystander")
until [ -e "$work/mapped" ]; do sleep 0.05; done
expect 'charged to the group with the bystander alone, MiB < 8' "$([ "$(<"$group/$used")" -lt $((8 * 1024 * 1024)) ] && echo yes || echo no)" yes
in_group 1000 "
import time
kept = []
for _ in range(30): kept.append(bytes(b'x' * (1 << 20)))
time.sleep(60)"
glutton=$!
at_end+=("kill -9 $glutton; wait $glutton")
for _ in $(seq 200); do
  if ! kill -0 $bystander 2>/dev/null || ! kill -0 $glutton 2>/dev/null; then break; fi
  sleep 0.05
done
state() { if kill -0 "$1" 2>/dev/null; then echo alive; else echo killed; fi; }
expect 'the program that fills the group, score 1000' "$(state $glutton)" alive
expect 'the bystander, score 0' "$(state $bystander)" killed

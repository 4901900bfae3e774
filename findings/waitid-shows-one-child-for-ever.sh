#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44 (2026-11-30): waitid(2) with P_ALL and WNOWAIT does not go through the children that have ended. As long as nobody
# takes the end of the one that it shows, it shows that one at every call, and the others never. A process 1 that wants to look
# first whose child it is, and take only the ends of strangers, can't find them so; /proc/self/task/TID/children lists them.
#
# Seen:
#   children that have ended:                            3
#   different ones in 30 calls with WNOWAIT:             1
#   in the list of /proc:                                3
source "$(dirname "$0")/lib.sh"
seen=$(python3 - <<'END'
import os, time
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0: os._exit(0)
    children.append(pid)
for pid in children: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
shown = {os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG).si_pid for _ in range(30)}
listed = open(f'/proc/self/task/{os.getpid()}/children').read().split()
print(len(children), len(shown), len(listed))
END
)
read -r ended shown listed <<<"$seen"
expect 'children that have ended' "$ended" 3
expect 'different ones in 30 calls with WNOWAIT' "$shown" 1
expect 'in the list of /proc' "$listed" 3

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18 (pidfd_send_signal(2), PIDFD_SIGNAL_PROCESS_GROUP of 6.9), Python 3.11: a pidfd whose process is gone kills others.
#
# A pidfd stands for one process, and answers ESRCH for ever once that one has been waited for: that is what it is used for
# instead of a number. With PIDFD_SIGNAL_PROCESS_GROUP the same descriptor of the same process that is gone succeeds, as long as
# anybody is left in the group that it led, and they get the signal. So whether a program still runs is not told by the
# group's answer, and a supervisor that means "this program, if it is still there" kills what it has left in the background.
# Once the group is empty, that answers ESRCH too.
#
# Seen on 2026-11-30, Linux 6.18.44:
#   the process:                                         ESRCH
#   its group, one left in it:                           ok
#   SIGKILL to its group:                                ok
#   the one that was left:                               killed by 9
#   its group, nobody left in it:                        ESRCH
source "$(dirname "$0")/lib.sh"
cat >"$work/group.py" <<'PYTHON'
import ctypes, errno, os, signal

libc = ctypes.CDLL(None, use_errno=True)
SYS_pidfd_send_signal, GROUP = 424, 4

def send(pidfd, number, flags):
    return "ok" if libc.syscall(SYS_pidfd_send_signal, pidfd, number, None, flags) == 0 else errno.errorcode[ctypes.get_errno()]

# PR_SET_CHILD_SUBREAPER: what the leader leaves behind is this process's child.
libc.prctl(36, 1, 0, 0, 0)
told, tell = os.pipe()
leader = os.fork()
if leader == 0:
    os.setsid()
    left = os.fork()
    if left == 0:
        signal.pause()
    os.write(tell, str(left).encode())
    os._exit(0)
left = int(os.read(told, 20))
pidfd = os.pidfd_open(leader)
if send(pidfd, 0, GROUP) == "EINVAL":
    print("this kernel has no PIDFD_SIGNAL_PROCESS_GROUP (6.9)")
    os.kill(left, signal.SIGKILL)
    raise SystemExit(2)
os.waitpid(leader, 0)
print(send(pidfd, 0, 0))
print(send(pidfd, 0, GROUP))
print(send(pidfd, signal.SIGKILL, GROUP))
print("killed by", os.WTERMSIG(os.waitpid(left, 0)[1]))
print(send(pidfd, 0, GROUP))
PYTHON
result=0
python3 "$work/group.py" >"$work/seen" || result=$?
[ "$result" != 2 ] || { cat "$work/seen"; exit 2; }
mapfile -t seen <"$work/seen"
expect 'the process' "${seen[0]}" ESRCH
expect 'its group, one left in it' "${seen[1]}" ok
expect 'SIGKILL to its group' "${seen[2]}" ok
expect 'the one that was left' "${seen[3]}" 'killed by 9'
expect 'its group, nobody left in it' "${seen[4]}" ESRCH

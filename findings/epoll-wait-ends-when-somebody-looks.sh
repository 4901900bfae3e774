#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18, strace 6.1, Python 3.11 for the tracer's part: to look at a process that waits in epoll_wait(2) ends its wait.
#
# A process without a signal handler waits for ever. Others have it stopped and continued (SIGSTOP, SIGCONT), or attach to it as
# strace does (PTRACE_SEIZE and PTRACE_INTERRUPT) and go away again. poll(2) and read(2) go on as if nothing had been; epoll_wait(2)
# fails with EINTR each time. A daemon that is asked by strace whether it makes system calls while it is idle makes some because
# it is asked, and a loop that takes EINTR for the end of its work ends when a debugger looks.
#
# Seen on 2026-11-30, Linux 6.18.44:
#   poll, stopped and continued:                         waits on
#   epoll_wait, stopped and continued:                   EINTR
#   poll, looked at as strace does:                      waits on
#   epoll_wait, looked at as strace does:                EINTR
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
cat >"$work/looked-at.py" <<'PYTHON'
import ctypes, errno, os, signal, sys, time

how, look = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

def wait_for_ever(says):
    if how == "poll":
        quiet = os.pipe()[0]
        pollfd = (ctypes.c_int * 2)(quiet, 1)
        os.write(says, b"r")
        libc.poll(pollfd, 1, -1)
    else:
        events = ctypes.create_string_buffer(16)
        epoll = libc.epoll_create1(0)
        os.write(says, b"r")
        libc.epoll_wait(epoll, events, 1, -1)
    os.write(says, errno.errorcode.get(ctypes.get_errno(), "none").encode())
    os._exit(0)

def state(pid):
    with open(f"/proc/{pid}/stat") as file: return file.read().rsplit(")", 1)[1].split()[0]

def until(pid, *wanted):
    while state(pid) not in wanted: time.sleep(0.01)

hears, says = os.pipe()
pid = os.fork()
if pid == 0: wait_for_ever(says)
os.close(says)
os.read(hears, 1)
until(pid, "S")
# It has said that it waits a moment before it does.
time.sleep(0.3)
if look == "stop":
    os.kill(pid, signal.SIGSTOP)
    until(pid, "T")
    os.kill(pid, signal.SIGCONT)
else:
    assert libc.ptrace(SEIZE, pid, 0, 0) == 0
    assert libc.ptrace(INTERRUPT, pid, 0, 0) == 0
    os.waitpid(pid, 0)
    assert libc.ptrace(DETACH, pid, 0, 0) == 0
import select
ready, _, _ = select.select([hears], [], [], 3)
print(os.read(hears, 100).decode() if ready else "waits on")
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
PYTHON
expect 'poll, stopped and continued' "$(python3 "$work/looked-at.py" poll stop)" 'waits on'
expect 'epoll_wait, stopped and continued' "$(python3 "$work/looked-at.py" epoll_wait stop)" 'EINTR'
expect 'poll, looked at as strace does' "$(python3 "$work/looked-at.py" poll trace)" 'waits on'
expect 'epoll_wait, looked at as strace does' "$(python3 "$work/looked-at.py" epoll_wait trace)" 'EINTR'

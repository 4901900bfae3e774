#!/usr/bin/env bash
# Linux 6.18 (pseudo-terminals, pty(7)), Python 3 as the observer.
#
# When the leader of a session dies, one expects its controlling terminal to be hung up for the whole session: the others can neither read
# nor write any more (EIO), and the master reads EIO. So it is with a serial line. With a pseudo-terminal it is not: only the group in
# the foreground gets SIGHUP, and whoever survives that goes on writing to the terminal. The master hears nothing of the leader's
# death, neither EIO nor POLLHUP, until the last holder has gone. Who serves a terminal has to end it when the leader ends.
#
# Seen 2026-11-30:
#   leader dead, its child alive: master readable or hung up within 2 s: no
#   the child writes to the terminal: written
#   what the child wrote: b'x'
#   the child gone: the master says: Input/output error
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/observe.py" <<'PYTHON'
import os, pty, select, signal, sys, time

told, tell = os.pipe()
go, release = os.pipe()
leader, master = pty.fork()
if leader == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.write(tell, b"%d\n" % os.getpid())
        os.read(go, 1)
        try:
            os.write(1, b"x")
            os.write(tell, b"written\n")
        except OSError as error:
            os.write(tell, error.strerror.encode() + b"\n")
        os.read(go, 1)
        os._exit(0)
    time.sleep(60)
    os._exit(0)

child = int(os.read(told, 64))
os.kill(leader, signal.SIGKILL)
os.waitpid(leader, 0)

def stirred():
    poll = select.poll()
    poll.register(master, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(2000))

silent = not stirred()
print("leader dead, its child alive: master readable or hung up within 2 s:", "no" if silent else "yes")
os.write(release, b"1")
said = os.read(told, 64).decode().strip()
print("the child writes to the terminal:", said)
os.write(release, b"2")
stirred()
wrote = os.read(master, 16)
print("what the child wrote:", wrote)
try:
    stirred()
    why = repr(os.read(master, 16))
except OSError as error:
    why = error.strerror
print("the child gone: the master says:", why)
sys.exit(0 if silent and said == "written" and wrote == b"x" and why == "Input/output error" else 1)
PYTHON

timeout 30 python3 "$folder/observe.py"

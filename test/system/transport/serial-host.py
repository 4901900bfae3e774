# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal for tests: prints its name, then copies stdin to the master and the master to stdout.

With the word `when-raw` it sends nothing before the guest has made the line raw: a terminal that nobody has set echoes
what comes, as if it were an answer. A `\\x01hangup` line on stdin hangs the terminal up (TIOCVHANGUP, needs root).
"""
import fcntl
import os
import pty
import select
import sys
import termios
import time

master, slave = pty.openpty()
name = os.ttyname(slave)
os.write(1, (name + "\n").encode())
held = [slave]


def wait_until_raw():
    local_modes = 3
    while "when-raw" in sys.argv and termios.tcgetattr(held[0])[local_modes] & (termios.ICANON | termios.ECHO):
        time.sleep(0.005)


while True:
    ready, _, _ = select.select([0, master], [], [])
    if 0 in ready:
        data = os.read(0, 65536)
        if not data:
            sys.exit()
        before, hangup, data = data.rpartition(b"\x01hangup\n")
        if hangup:
            if before:
                wait_until_raw()
                os.write(master, before)
            fcntl.ioctl(held[0], 0x5437)
            os.close(held.pop())
            held.append(os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        if data:
            wait_until_raw()
            os.write(master, data)
    if master in ready:
        try:
            os.write(1, os.read(master, 65536))
        except OSError:
            pass

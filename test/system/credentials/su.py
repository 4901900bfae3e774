# SPDX-License-Identifier: Apache-2.0
"""Logs in with su on a pseudo-terminal, as a person would: su.py USER PASSWORD. Ends with su's status."""
import os
import pty
import sys

user, password = sys.argv[1], sys.argv[2]
child, terminal = pty.fork()
if child == 0:
    # root needs no password, so that somebody else has to ask.
    os.setgid(65534)
    os.setuid(65534)
    os.execvp("su", ["su", user, "-c", "true"])
seen = b""
while b":" not in seen:
    piece = os.read(terminal, 1024)
    if not piece:
        break
    seen += piece
os.write(terminal, password.encode() + b"\n")
try:
    while os.read(terminal, 1024):
        pass
except OSError:
    pass  # the terminal's end of file
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

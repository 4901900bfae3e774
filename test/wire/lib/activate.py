# SPDX-License-Identifier: Apache-2.0
"""Starts a program as a service manager does with socket activation: activate.py PATH COUNT PROGRAM [WORD...]"""
import os
import socket
import sys

path, count, *words = sys.argv[1:]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen(8)
for fd in range(3, 3 + int(count)):
    if listening.fileno() != fd:
        os.dup2(listening.fileno(), fd)
    os.set_inheritable(fd, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=count)
os.execv(words[0], words)

# SPDX-License-Identifier: Apache-2.0
"""A service manager with one service, as far as a keeper talks to one. argv: its socket, and the service's words.

Lines on standard input: `restart`, `stop`. Lines of JSON on standard output tell what happens.
"""

import array
import ctypes
import json
import os
import signal
import socket
import sys
import threading

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
path, *words = sys.argv[1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
stored = {}
main = [0]
own = set()
# A socket of activation, whose name comes first.
activation = os.memfd_create("activation")


def say(**what):
    print(json.dumps(what), flush=True)


def start():
    given = {"activation": activation, **stored}
    pid = os.fork()
    if pid == 0:
        # Above all numbers that are given.
        high = [os.dup(number) for number in given.values() for _ in range(1)]
        high = [os.dup2(number, 100 + place) for place, number in enumerate(high)]
        for place, number in enumerate(high):
            os.dup2(number, 3 + place)
            os.close(number)
        me = str(os.getpid())
        os.environ.update(
            NOTIFY_SOCKET=path, SYSTEMD_EXEC_PID=me, FDSTORE="1", LISTEN_PID=me, LISTEN_FDS=str(len(given)), LISTEN_FDNAMES=":".join(given)
        )
        os.execv(words[0], words)
    own.add(pid)
    main[0] = pid
    say(started=pid)


def listen():
    while True:
        text, ancillary, _, _ = notify.recvmsg(8192, 64)
        numbers = array.array("i")
        for _, _, data in ancillary:
            numbers.frombytes(data)
        fields = dict(line.split("=", 1) for line in text.decode().split("\n"))
        if fields.get("FDSTORE") == "1":
            stored[fields["FDNAME"]] = numbers.pop()
        if fields.get("FDSTOREREMOVE") == "1":
            os.close(stored.pop(fields["FDNAME"]))
        if "MAINPID" in fields:
            main[0] = int(fields["MAINPID"])
            own.add(main[0])
        say(said=fields)
        for number in numbers:
            os.close(number)


def end():
    os.kill(main[0], signal.SIGTERM)
    while True:
        pid, status = os.wait()
        if pid == main[0]:
            return say(ended=pid, status=status)


def reap(*_):
    # What is left of a service without a parent.
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        for pid in children.read().split():
            if int(pid) not in own:
                os.waitpid(int(pid), os.WNOHANG)


signal.signal(signal.SIGCHLD, reap)
start()
threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    end()
    if line == "restart\n":
        start()
    else:
        for name in list(stored):
            os.close(stored.pop(name))
        say(stopped=True)

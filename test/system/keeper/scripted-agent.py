# SPDX-License-Identifier: Apache-2.0
"""An agent that does what a test tells it to. argv: the test's Unix socket. Lines of JSON both ways."""

import array
import json
import os
import signal
import socket
import sys
import threading

test = socket.socket(socket.AF_UNIX)
test.connect(sys.argv[1])
lock = threading.Lock()


def say(**what):
    with lock:
        test.sendall(json.dumps(what).encode() + b"\n")


def environment(name):
    return os.environ.get(name)


keeper = socket.socket(fileno=int(os.environ["CONCIERGE_GA_KEEPER"]))
held = {}
opened = {}
conversations = []


def descriptors(ancillary):
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            yield from numbers


def listen_to_keeper():
    while True:
        try:
            data, ancillary, flags, _ = keeper.recvmsg(16384, 1024)
        except ConnectionResetError:
            # It has ended with something unread.
            continue
        if not data:
            return say(lost=True)
        numbers = list(descriptors(ancillary))
        if data.startswith(b"held ") and numbers:
            held[data.split()[1].decode()] = numbers[0]
        say(got=data.decode("latin-1"), descriptors=len(numbers))


say(
    pid=os.getpid(),
    parent=os.getppid(),
    notify=environment("NOTIFY_SOCKET"),
    listen=[environment("LISTEN_PID"), environment("LISTEN_FDS")],
    blocked=signal.pthread_sigmask(signal.SIG_BLOCK, []) != set(),
)
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
signal.signal(signal.SIGHUP, lambda *_: say(signal="SIGHUP"))


def open_one(how, path):
    if how == "fifo":
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if how == "listener":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        return listener.detach()
    if how == "client":
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        return client.detach()
    if how == "terminal":
        return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    if how == "place":
        return os.open(path, os.O_PATH | os.O_NOFOLLOW)
    if how == "guardian":
        ours, theirs = socket.socketpair()
        conversations.append(ours)
        return theirs.detach()
    if how == "process":
        return os.pidfd_open(int(path))
    if how == "memory":
        number = os.memfd_create("x")
        os.write(number, path.encode())
        return number
    return os.open(path, os.O_RDWR)


def send(text, numbers):
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))] if numbers else []
    keeper.sendmsg([text.encode("latin-1")], ancillary)


def obey(order):
    what = order["do"]
    if what == "send":
        numbers = [open_one(how, path) for how, path in order.get("with", [])]
        for _ in range(order.get("times", 1)):
            send(order["text"], numbers)
        for number in numbers:
            if order.get("close", True):
                os.close(number)
        say(done="send")
    elif what == "many":
        number = open_one("memory", "x")
        for index in range(order["count"]):
            send(f"keep many-{index} plain note", [number])
        say(done="many")
    elif what == "read":
        number = held[order["name"]]
        try:
            os.set_blocking(number, False)
            say(read=os.read(number, 65536).decode("latin-1"))
        except BlockingIOError:
            say(read=None)
    elif what == "converse":
        conversations[-1].sendall(order["text"].encode())
        say(read=conversations[-1].recv(4096).decode("latin-1"))
    elif what == "part":
        conversations.pop().close()
        say(done="part")
    elif what == "content":
        number = held[order["name"]]
        say(read=os.pread(number, 65536, 0).decode("latin-1"))
    elif what == "orphan":
        # A grandchild whose parent ends at once.
        pid = os.fork()
        if pid == 0:
            if os.fork() == 0:
                os._exit(3)
            os._exit(0)
        os.waitpid(pid, 0)
        say(done="orphan")
    elif what == "program":
        # A child, which is the keeper's when this agent has ended.
        reads, writes = os.pipe()
        if order.get("output"):
            send("keep program-1-0 plain x", [reads])
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.dup2(writes if order.get("output") else os.open("/dev/null", os.O_WRONLY), 1)
            os.closerange(3, 256)
            os.execv("/bin/sh", ["sh", "-c", order["script"]])
        os.close(reads)
        os.close(writes)
        say(program=pid)
    elif what == "close":
        keeper.close()
        say(done="close")
    elif what == "exit":
        os._exit(order["status"])
    elif what == "hang":
        signal.pause()


threading.Thread(target=listen_to_keeper, daemon=True).start()


def orders():
    try:
        for line in test.makefile():
            obey(json.loads(line))
    finally:
        os._exit(0)


threading.Thread(target=orders, daemon=True).start()
while True:
    signal.pause()

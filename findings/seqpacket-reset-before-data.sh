#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18 (af_unix), Python 3.11: what a peer had sent is behind an error that says the connection is gone.
#
# A process sends two packets on a SOCK_SEQPACKET pair and ends, with something unread in its own queue. Whoever reads the
# other end expects the two packets and then the end. The first recv(2) fails with ECONNRESET although both packets are
# there; they come after it, complete, and then the end. A reader that takes the error for the end loses what was said (with
# SCM_RIGHTS the descriptors too). Without anything unread the error does not come, and on a stream pair it comes behind.
#
# Seen on 2026-11-30, Linux 6.18.44:
#   seqpacket, nothing unread: ['one', 'two', 'end']
#   seqpacket, one unread:     ['ECONNRESET', 'one', 'two', 'end']
#   stream, one unread:        ['onetwo', 'ECONNRESET', 'end']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/reset.py" <<'PYTHON'
import errno, os, socket

def seen(kind, unread):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    for _ in range(unread):
        ours.send(b"unread")
    child = os.fork()
    if child == 0:
        ours.close()
        theirs.send(b"one")
        theirs.send(b"two")
        os._exit(0)
    theirs.close()
    os.waitpid(child, 0)
    words = []
    while not words or words[-1] != "end":
        try:
            words.append(ours.recv(100).decode() or "end")
        except OSError as error:
            words.append(errno.errorcode[error.errno])
    return words

results = {
    "seqpacket, nothing unread:": (seen(socket.SOCK_SEQPACKET, 0), ["one", "two", "end"]),
    "seqpacket, one unread:    ": (seen(socket.SOCK_SEQPACKET, 1), ["ECONNRESET", "one", "two", "end"]),
    "stream, one unread:       ": (seen(socket.SOCK_STREAM, 1), ["onetwo", "ECONNRESET", "end"]),
}
for what, (got, expected) in results.items():
    print(what, got)
raise SystemExit(any(got != expected for got, expected in results.values()))
PYTHON
python3 "$folder/reset.py"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18 (af_unix), Python 3.11: a client that nobody had accepted when the listening socket was closed sees two errors.
#
# connect(2) on a Unix stream socket succeeds as soon as there is room in the queue; nobody has to accept. When the listener is
# closed then (a server that moves elsewhere, or ends), one would expect what a client sees whose server has accepted it and
# closed: the end of the stream. What it sees is ECONNRESET from the first recv(2), although it has sent nothing that could have
# been left unread, and only the second one is the end. So a client cannot take a reset for a server that failed over its request.
#
# Seen on 2026-11-30, Linux 6.18.44:
#   accepted, then closed:                               end
#   in the queue, listener closed:                       ECONNRESET end
#   in the queue with a request, listener closed:        ECONNRESET end
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
cat >"$work/queue.py" <<'PYTHON'
import errno, socket, sys

def seen(accepted, request):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")
    listener.listen(5)
    client = socket.socket(socket.AF_UNIX)
    client.connect(listener.getsockname())
    if request: client.send(b"ping\n")
    if accepted: listener.accept()[0].close()
    listener.close()
    words = []
    while not words or words[-1] != "end":
        try: words.append(client.recv(100).decode() or "end")
        except OSError as error: words.append(errno.errorcode[error.errno])
    return " ".join(words)

print(seen(sys.argv[1] == "accepted", sys.argv[2] == "request"))
PYTHON
expect 'accepted, then closed' "$(python3 "$work/queue.py" accepted none)" 'end'
expect 'in the queue, listener closed' "$(python3 "$work/queue.py" queued none)" 'ECONNRESET end'
expect 'in the queue with a request, listener closed' "$(python3 "$work/queue.py" queued request)" 'ECONNRESET end'

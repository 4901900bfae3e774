#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, Python 3.11 (any Linux).
#
# SO_PEERCRED of a connected Unix stream socket names, to the client, the process that called listen(2): not the one that bound
# the path, not the one that accepted, and not one that is alive. A service to which its manager has handed a listening socket
# (socket activation) is its manager to every client, and the number in the answer may be of a process that has ended, which was
# root when it listened and whose successor is not.
#
# Seen on 2026-11-30 (the numbers differ):
#   bound by user 0, listened at by user 65534, accepted by another process of user 65534
#   the client is told: user 65534, the process that listened: yes, the process that accepted: no, alive: no
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "needs root, to listen as another user" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"

python3 - "$folder/socket" <<'PYTHON'
import os, socket, struct, sys

path = sys.argv[1]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
told, tell = os.pipe()
listener = os.fork()
if listener == 0:
    os.setgid(65534)
    os.setuid(65534)
    server.listen(4)
    acceptor = os.fork()
    if acceptor == 0:
        os.write(tell, struct.pack("i", os.getpid()))
        server.accept()[0].recv(1)
    os._exit(0)
acceptor, = struct.unpack("i", os.read(told, 4))
os.waitpid(listener, 0)

client = socket.socket(socket.AF_UNIX)
client.connect(path)
pid, uid, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
alive = os.path.exists(f"/proc/{pid}")
client.close()
yes = lambda value: "yes" if value else "no"
print("bound by user 0, listened at by user 65534, accepted by another process of user 65534")
print(f"the client is told: user {uid}, the process that listened: {yes(pid == listener)}, the process that accepted: {yes(pid == acceptor)}, alive: {yes(alive)}")
sys.exit(0 if (uid, pid == listener, pid == acceptor, alive) == (65534, True, False, False) else 1)
PYTHON

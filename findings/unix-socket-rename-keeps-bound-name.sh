#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Linux, unix(7), kernel of the machine: a Unix socket that listens can be renamed, and the name that it was bound to stays in the kernel.
#
# connect(2) goes by the inode: after rename(2) clients reach the listener under the new name, and under the old one get
# ENOENT. But getsockname(2), getpeername(2) of every client and /proc/net/unix (`ss -xl`) go on showing the old name, under
# which nothing is there any more. So binding beside and renaming closes the gap between bind(2) and listen(2), in which
# clients get ECONNREFUSED, at the cost that nobody finds the socket in `ss` by its path; and checking a peer's identity by
# getpeername(2) compares with a name that may not exist, or belong to somebody else by now.
#
# Seen on 2026-11-30 (coreutils 9.1, python3 3.11 for the system calls):
#   between bind and listen: ECONNREFUSED
#   after rename, new name: connected
#   after rename, old name: ENOENT
#   getpeername: first.sock
#   /proc/net/unix: first.sock
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
seen=$(python3 - <<'PYTHON'
import errno, os, socket
server = socket.socket(socket.AF_UNIX)
server.bind('first.sock')
def connecting(name):
    client = socket.socket(socket.AF_UNIX)
    try:
        client.connect(name)
        return 'connected', client
    except OSError as error:
        return errno.errorcode[error.errno], None
print('between bind and listen:', connecting('first.sock')[0])
server.listen()
os.rename('first.sock', 'second.sock')
said, client = connecting('second.sock')
print('after rename, new name:', said)
print('after rename, old name:', connecting('first.sock')[0])
print('getpeername:', client.getpeername())
names = [line.split()[-1] for line in open('/proc/net/unix') if line.rstrip().endswith(('first.sock', 'second.sock'))]
print('/proc/net/unix:', ' '.join(sorted(set(names))))
PYTHON
)
printf '%s\n' "$seen"
[ "$seen" = 'between bind and listen: ECONNREFUSED
after rename, new name: connected
after rename, old name: ENOENT
getpeername: first.sock
/proc/net/unix: first.sock' ]

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# socat 1.7.4.4 (Debian bookworm, 2026-11-30): when the far side of a connection has ended, socat tells a standard output that is a pipe nothing of it
# before it ends itself, and that is up to -t seconds later: whoever reads that pipe to its end, and keeps socat's input open until then, waits for all
# of -t. `shut-close` on standard output closes the pipe at once, while the other direction stays open.
#
# Seen:
#   -t 86400 STDIO:                                      last words, and no end within 3 s
#   -t 86400 STDIN!!STDOUT,shut-close:                   last words, and the end
source "$(dirname "$0")/lib.sh"
debian "$work/root" bookworm socat=1.7.4.4-2
cat >"$work/server.py" <<'END'
import socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(5)
kept = []
while True:
    client = server.accept()[0]; client.sendall(b'last words'); client.shutdown(socket.SHUT_WR); kept.append(client)
END
python3 "$work/server.py" "$work/socket" & at_end+=("kill $!")
while [ ! -S "$work/socket" ]; do sleep 0.05; done

# try OPTIONS ADDRESS: whether somebody who reads its output sees the end of it within 3 s, while its input stays open.
try() {
  python3 - "$work/root" "$@" "UNIX:$work/socket" <<'END'
import glob, select, subprocess, sys, time
root, *words = sys.argv[1:]
loader = next(path for path in (f'{root}/usr/lib64/ld-linux-x86-64.so.2', f'{root}/lib64/ld-linux-x86-64.so.2') if glob.glob(path))
libraries = f'{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu'
child = subprocess.Popen([loader, '--library-path', libraries, f'{root}/usr/bin/socat', *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
until, heard, answer = time.time() + 3, b'', 'no end within 3 s'
while time.time() < until:
    if not select.select([child.stdout], [], [], 0.1)[0]: continue
    piece = child.stdout.read(100)
    heard += piece
    if not piece:
        answer = 'the end'
        break
child.kill()
print(f'{heard.decode()}, and {answer}')
END
}

expect '-t 86400 STDIO' "$(try -t 86400 STDIO)" 'last words, and no end within 3 s'
expect '-t 86400 STDIN!!STDOUT,shut-close' "$(try -t 86400 'STDIN!!STDOUT,shut-close')" 'last words, and the end'

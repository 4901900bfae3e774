#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# netcat-openbsd 1.219 (Debian bookworm, 2026-11-30): on a Unix socket it stays for ever when its input has ended, and the server is not told of
# the end either: a protocol that is carried through `ssh HOST nc -U SOCKET` leaves a process there, and a client of the server, whenever the host's side
# goes. -q0 tells the server and ends when that closes, and so does -N; -q1 ends after a second. Other programs called nc refuse -q.
#
# Seen:
#   nc -U, its input ended:                              stays; the server sees no end
#   nc -q0 -U:                                           ends; the server sees the end
#   nc -N -U:                                            ends; the server sees the end
source "$(dirname "$0")/lib.sh"
debian "$work/root" bookworm netcat-openbsd=1.219-1
cat >"$work/server.py" <<'END'
import os, socket, sys, threading
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(5)
def serve(client):
    while client.recv(100): pass
    open(sys.argv[2], 'w').close(); client.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
END
python3 "$work/server.py" "$work/socket" "$work/end" & at_end+=("kill $!")
while [ ! -S "$work/socket" ]; do sleep 0.05; done

# try FLAGS...: whether it ends by itself within 3 s, and whether the server saw the end before somebody ended it.
try() {
  local pid ends=stays server='sees no end'
  rm -f "$work/end"
  (in_root "$work/root" bin/nc.openbsd "$@" -U "$work/socket" </dev/null) & pid=$!
  for _ in $(seq 60); do [ -e "/proc/$pid/exe" ] && kill -0 "$pid" 2>/dev/null || { ends=ends; break; }; sleep 0.05; done
  [ -e "$work/end" ] && server='sees the end'
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  echo "$ends; the server $server"
}

expect 'nc -U, its input ended' "$(try)" 'stays; the server sees no end'
expect 'nc -q0 -U' "$(try -q0)" 'ends; the server sees the end'
expect 'nc -N -U' "$(try -N)" 'ends; the server sees the end'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libvirtd 12.9.0 (Debian trixie-backports, 2026-11-30): keep-alive of the daemon (keepalive_interval in libvirtd.conf, 5 s) does not begin with
# the connection. A client that never calls CONNECT_SUPPORTS_FEATURE for PROGRAM_KEEPALIVE (10) is never asked whether it is there, and its
# connection is kept for ever; one that only asks whether the daemon could is asked from then on, and cut off when it does not answer.
# The daemon in turn answers the pings of a client that never asked.
#
# Seen, with an interval of 1 s and 2 pings without answer, within 6 s:
#   pings to a client that did not ask:                  0, open
#   pings to a client that asked:                        2, closed
#   answer to a ping of a client that did not ask:       pong
source "$(dirname "$0")/lib.sh" mounts
debian "$work/root" trixie-backports libvirt-daemon=12.9.0-1~bpo13+1
root=$work/root
mkdir -p "$root"/{dev,proc,etc,run,tmp,sockets}
echo root:x:0:0::/root:/bin/sh >"$root/etc/passwd"
echo root:x:0: >"$root/etc/group"
for name in lib lib64; do [ -e "$root/$name" ] || ln -s "usr/$name" "$root/$name"; done
for name in dev proc; do mount --rbind /$name "$root/$name"; at_end+=("umount -R $root/$name"); done
cat >"$root/libvirtd.conf" <<END
unix_sock_dir = "/sockets"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:file:/log"
keepalive_interval = 1
keepalive_count = 2
END
chroot "$root" /usr/sbin/libvirtd -f /libvirtd.conf -p /pid >/dev/null 2>&1 &
at_end+=("kill $!; wait $!")
for _ in $(seq 100); do [ ! -S "$root/sockets/libvirt-sock" ] || break; sleep 0.1; done
cat >"$work/client.py" <<'END'
import socket, struct, sys, time
REMOTE, KEEP = 0x20008086, 0x6b656570
path, asks, pings = sys.argv[1], sys.argv[2] == 'asks', sys.argv[2] == 'pings'
daemon = socket.socket(socket.AF_UNIX); daemon.connect(path)
def send(program, procedure, kind, serial, payload=b''):
    daemon.sendall(struct.pack('>7I', 28 + len(payload), program, 1, procedure, kind, serial, 0) + payload)
send(REMOTE, 66, 0, 1)                                                  # AUTH_LIST
if asks: send(REMOTE, 60, 0, 2, struct.pack('>I', 10))                   # CONNECT_SUPPORTS_FEATURE
send(REMOTE, 1, 0, 3, struct.pack('>2I', 1, 15) + b'test:///default\0' + struct.pack('>I', 0))  # CONNECT_OPEN
if pings: send(KEEP, 1, 2, 0)
received, end, state = b'', time.monotonic() + 6, 'open'
while time.monotonic() < end:
    daemon.settimeout(max(0.01, end - time.monotonic()))
    try: data = daemon.recv(65536)
    except TimeoutError: break
    except ConnectionResetError: data = b''
    if data == b'': state = 'closed'; break
    received += data
seen = []
while len(received) >= 28:
    length, program, _, procedure = struct.unpack('>4I', received[:16])
    if program == KEEP: seen.append(procedure)
    received = received[length:]
print('pong' if pings and 2 in seen else f'{seen.count(1)}, {state}')
END
client() { /usr/bin/python3 "$work/client.py" "$root/sockets/libvirt-sock" "$1"; }

expect 'pings to a client that did not ask' "$(client quiet)" '0, open'
expect 'pings to a client that asked' "$(client asks)" '2, closed'
expect 'answer to a ping of a client that did not ask' "$(client pings)" 'pong'

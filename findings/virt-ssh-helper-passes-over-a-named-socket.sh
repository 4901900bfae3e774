#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libvirt 9.0.0 (Debian bookworm, 2026-11-30): virt-ssh-helper, which carries libvirt's protocol on the other side of ssh, takes a URI and
# says nothing of a parameter `socket` in it: it connects to that of the system's daemon, so that whoever names a socket talks with another
# daemon, whose domains may have the same names. libvirt's own client does not call the helper where a socket is named, and says so nowhere.
#
# Seen:
#   virt-ssh-helper with a socket in the URI:            talks with asked-system
#   what virsh runs there with a socket in the URI:      nc -U /named/sock
#   what virsh runs there without:                       virt-ssh-helper
source "$(dirname "$0")/lib.sh" mounts
debian "$work/root" bookworm libvirt-daemon=9.0.0-4+deb12u2 libvirt-clients=9.0.0-4+deb12u2
mount -t tmpfs run /run
mkdir /run/libvirt
cat >"$work/server.py" <<'END'
import socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(1)
while True: client = server.accept()[0]; open(sys.argv[2], 'w').close(); client.close()
END
for one in "named:$work/named" system:/run/libvirt/virtqemud-sock system:/run/libvirt/libvirt-sock; do
  python3 "$work/server.py" "${one#*:}" "$work/asked-${one%%:*}" & at_end+=("kill $!")
  while [ ! -S "${one#*:}" ]; do sleep 0.05; done
done
printf '#!/bin/sh\nfor last; do :; done\necho "$last" >%s/remote\nexit 1\n' "$work" >"$work/ssh"
chmod +x "$work/ssh"
remote() {
  (in_root "$work/root" usr/bin/virsh -c "qemu+ssh://host/system?command=$work/ssh$1" list >/dev/null 2>&1) || true
  grep -q virt-ssh-helper "$work/remote" && echo virt-ssh-helper || sed -n "s/.*'\(nc\)' \$ARG \(-U [^']*\)'.*/\1 \2/p" "$work/remote"
}

(in_root "$work/root" usr/bin/virt-ssh-helper "qemu:///system?socket=$work/named" </dev/null >/dev/null 2>&1) || true
sleep 0.5
expect 'virt-ssh-helper with a socket in the URI' "talks with $(cd "$work" && echo asked-*)" 'talks with asked-system'
expect 'what virsh runs there with a socket in the URI' "$(remote '&socket=/named/sock')" 'nc -U /named/sock'
expect 'what virsh runs there without' "$(remote '')" 'virt-ssh-helper'

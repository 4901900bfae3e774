#!/usr/bin/env bash
# libvirt-clients 9.0.0 (Debian bookworm), Linux 6.18.44 (2026-11-30): `virsh qemu-agent-command DOMAIN REQUEST` takes a request of
# at most 131071 bytes, far from the 4 MiB that libvirt passes on: the kernel gives no program a longer argument, though all of them
# together may be 2 MiB. The same command, typed into virsh by its standard input, may be as long as one likes: it comes to the
# driver (that of the test domain knows no agent and says so).
#
# Seen:
#   as an argument, 131071 bytes:                        the driver was asked
#   as an argument, 131072 bytes:                        status 126
#   by the input, 1000000 bytes:                         the driver was asked
source "$(dirname "$0")/lib.sh"
debian "$work/root" bookworm libvirt-clients=9.0.0-4+deb12u2

request() { printf '{"execute":"x","a":"%s"}' "$(head -c $(($1 - 22)) /dev/zero | tr '\0' a)"; }
virsh() { (in_root "$work/root" usr/bin/virsh --quiet --connect test:///default "$@" 2>&1); }
# asked COMMAND...: whether the command came to the driver.
asked() {
  local said result=0
  said=$("$@") || result=$?
  case $said in
    *'not supported by the connection driver'*) echo 'the driver was asked' ;;
    *) echo "status $result" ;;
  esac
}
typed() { printf "qemu-agent-command test '%s'\n" "$(request "$1")" | virsh; }

expect 'as an argument, 131071 bytes' "$(asked virsh qemu-agent-command test "$(request 131071)")" 'the driver was asked'
expect 'as an argument, 131072 bytes' "$(asked virsh qemu-agent-command test "$(request 131072)" 2>/dev/null)" 'status 126'
expect 'by the input, 1000000 bytes' "$(asked typed 1000000)" 'the driver was asked'

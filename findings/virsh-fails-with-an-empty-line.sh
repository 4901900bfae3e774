#!/usr/bin/env bash
# libvirt-clients 9.0.0 (Debian bookworm, 2026-11-30): a command of virsh that fails prints to standard output as well: one line feed.
# And one that prints a single value ends it with an empty line. Both are gone with --quiet. Whoever takes what was printed for the
# answer, and each line for one, has an empty answer instead of none, and an empty one behind each.
#
# Seen:
#   a failure, standard output:                          \n
#   a failure, standard output, --quiet:                 nothing
#   a success, its end:                                  \n \n
#   a success, its end, --quiet:                         g \n
source "$(dirname "$0")/lib.sh"
debian "$work/root" bookworm libvirt-clients=9.0.0-4+deb12u2

bytes() { od -An -c | tr -s ' ' | sed 's/^ //; s/ $//' | grep . || echo nothing; }
virsh() { (in_root "$work/root" usr/bin/virsh "$@" 2>/dev/null) || true; }

expect 'a failure, standard output' "$(virsh --connect test:///default domstate nosuch | bytes)" '\n'
expect 'a failure, standard output, --quiet' "$(virsh --quiet --connect test:///default domstate nosuch | bytes)" nothing
expect 'a success, its end' "$(virsh --connect test:///default domstate test | tail -c 2 | bytes)" '\n \n'
expect 'a success, its end, --quiet' "$(virsh --quiet --connect test:///default domstate test | tail -c 2 | bytes)" 'g \n'

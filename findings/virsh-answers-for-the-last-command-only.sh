#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# virsh 12.9.0 (Debian trixie-backports, 2026-11-30; 9.0.0 of bookworm alike): of several commands in one call the exit status is that
# of the last. A freeze that failed goes unseen as soon as anything follows it, and the next command is run all the same. A word too
# many in any of them is another matter: then none is run, the ones in front of it neither.
#
# Seen (with libvirt's test driver, which has a domain `test`):
#   domfsfreeze nosuch:                                  1
#   domfsfreeze nosuch; domstate test:                   0
#   its output:                                          running
#   domstate test; domstate test a b, answers:           0
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports libvirt-clients=12.9.0-1~bpo13+1
virsh() { (in_root "$work/root" usr/bin/virsh -q -c test:///default "$@" 2>/dev/null); }

expect 'domfsfreeze nosuch' "$(status virsh 'domfsfreeze nosuch')" 1
expect 'domfsfreeze nosuch; domstate test' "$(status virsh 'domfsfreeze nosuch; domstate test')" 0
expect 'its output' "$(virsh 'domfsfreeze nosuch; domstate test' | xargs)" running
expect 'domstate test; domstate test a b, answers' "$(virsh 'domstate test; domstate test a b' | grep -c running || true)" 0

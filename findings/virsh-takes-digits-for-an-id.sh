#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# libvirt 12.9.0 (Debian trixie-backports, 2026-11-30): virsh takes a name that is a number for the id of a domain that runs, and says
# nothing of the domain of that name. The ids are given out as domains start, so that the same command line means another domain
# tomorrow. A name is asked for by name alone with --name of the commands that have it; domuuid and most others have not.
#
# Seen:
#   names of all domains:                                1 test
#   what '1' means while the other one runs as id 1:     test
#   what '1' means once that is shut off:                1
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports libvirt-clients=12.9.0-1~bpo13+1
cat >"$work/one.xml" <<'END'
<domain type='test'><name>1</name><memory>8192</memory><os><type>hvm</type></os></domain>
END
# The driver `test` begins anew with each connection: all in one virsh.
virsh() { (in_root "$work/root" usr/bin/virsh -q -c test:///default "define $work/one.xml; $1" 2>&1) | grep . || true; }

expect 'names of all domains' "$(virsh 'list --all --name' | grep -v '^Domain' | sort | xargs)" '1 test'
expect "what '1' means while the other one runs as id 1" "$(virsh 'dominfo 1' | sed -n 's/^Name: *//p')" 'test'
expect "what '1' means once that is shut off" "$(virsh 'destroy test; dominfo 1' | sed -n 's/^Name: *//p')" '1'

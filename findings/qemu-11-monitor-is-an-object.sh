#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# QEMU 11.1.3 of Debian 13's backports (2026-11-30): the monitor of QMP has become an object, `-object monitor-qmp,id=M,chardev=C`, and
# `-mon chardev=C,mode=control`, as every host has written it, warns on standard error that it is deprecated; the short `-qmp` does
# not. A machine that runs is given another monitor by object-add, and has it taken away by object-del: a host that has lost its
# monitor can be let in by another. QEMU 7.2 knows no such object: the new words do not start there.
#
# Seen:
#   warning of -mon:                                     '-mon' is deprecated, use '-object' with 'monitor-hmp' or 'monitor-qmp' types instead
#   lines on standard error with -qmp:                   0
#   answer to qmp_capabilities by -object:               {"return": {}}
#   object-add of a second one while it runs:            {"return": {}}
#   the second one greets:                               11.1.3
#   object-del of it:                                    {"return": {}}
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports 'qemu-system-x86=1:11.1.3+ds-1~bpo13+1' || { echo 'QEMU 11.1.3 is not to be had'; exit 2; }
qemu() { (in_root "$work/root" usr/bin/qemu-system-x86_64 -L "$work/root/usr/share/qemu" -M none -nodefaults -display none "$@"); }
words='{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n'

expect 'warning of -mon' "$(printf "$words" | qemu -chardev stdio,id=c -mon chardev=c,mode=control 2>&1 >"$work/out" | sed 's/.*warning: //')" \
  "'-mon' is deprecated, use '-object' with 'monitor-hmp' or 'monitor-qmp' types instead"
expect 'lines on standard error with -qmp' "$(printf "$words" | qemu -qmp stdio 2>&1 >"$work/out" | wc -l)" 0
expect 'answer to qmp_capabilities by -object' "$(printf "$words" | qemu -chardev stdio,id=c -object monitor-qmp,id=m,chardev=c 2>/dev/null | tr -d '\r' | sed -n 2p)" '{"return": {}}'

qemu -chardev "socket,id=one,path=$work/one,server=on,wait=off" -object monitor-qmp,id=m,chardev=one -chardev "socket,id=two,path=$work/two,server=on,wait=off" &
at_end+=("kill $!")
until [ -S "$work/two" ]; do kill -0 $! || exit 1; sleep 0.05; done
python3 - "$work" >"$work/said" <<'END'
import json, socket, sys
def talk(name):
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(f'{sys.argv[1]}/{name}')
    return s.makefile('rw')
def ask(f, **request):
    f.write(json.dumps(request) + '\n'); f.flush()
    while 'event' in (line := json.loads(f.readline())): pass
    return json.dumps(line)
one = talk('one'); one.readline(); ask(one, execute='qmp_capabilities')
print(ask(one, execute='object-add', arguments={'qom-type': 'monitor-qmp', 'id': 'second', 'chardev': 'two'}))
two = talk('two'); v = json.loads(two.readline())['QMP']['version']['qemu']
print(f"{v['major']}.{v['minor']}.{v['micro']}")
print(ask(one, execute='object-del', arguments={'id': 'second'}))
ask(one, execute='quit')
END
expect 'object-add of a second one while it runs' "$(sed -n 1p "$work/said")" '{"return": {}}'
expect 'the second one greets' "$(sed -n 2p "$work/said")" 11.1.3
expect 'object-del of it' "$(sed -n 3p "$work/said")" '{"return": {}}'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Debian 12 (2026-11-30): /bin/kill, with which so many units reload (`ExecReload=/bin/kill -HUP $MAINPID`), is of procps, which is
# not essential: a minimal system with systemd lacks it, the unit loads, and every reload fails. util-linux, which is essential and
# has a kill(1) of its own in its sources, does not ship it here. The kill that a shell has built in is always there:
# `ExecReload=/bin/sh -c 'kill -HUP $MAINPID'`.
#
# Seen:
#   kill in procps:                                      1
#   procps is essential:                                 no
#   kill in util-linux:                                  0
#   util-linux is essential:                             yes
#   kill in coreutils:                                   0
#   kill in dash by itself:                              kill
source "$(dirname "$0")/lib.sh"
cd "$work"
apt-get download -qq procps=2:4.0.2-3 util-linux=2.38.1-5+deb12u3 coreutils=9.1-1 >/dev/null 2>&1
has_kill() { dpkg-deb -c "$work/$1"_*.deb | grep -c '/bin/kill$' || true; }
essential() { local said; said=$(dpkg-deb -f "$work/$1"_*.deb Essential); echo "${said:-no}"; }

expect 'kill in procps' "$(has_kill procps)" 1
expect 'procps is essential' "$(essential procps)" no
expect 'kill in util-linux' "$(has_kill util-linux)" 0
expect 'util-linux is essential' "$(essential util-linux)" yes
expect 'kill in coreutils' "$(has_kill coreutils)" 0
expect 'kill in dash by itself' "$(env -i /bin/dash -c 'type kill' | grep -o 'kill is a shell builtin' | cut -d ' ' -f 1)" kill

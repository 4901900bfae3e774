#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# qemu-ga 7.2.22, 10.0.13 and 11.1.3 (Debian, 2026-11-30): `-F /path/to/hook` does not set the hook. The value of -F is optional
# and only taken attached (-F/path, --fsfreeze-hook=/path); the next word is no value, and words that are no options are passed
# over in silence. What runs is the default hook, or nothing. --dump-conf shows it, and also turns round the names of each list.
#
# Seen:
#   -F /opt/hook:                                        fsfreeze-hook=/etc/qemu/fsfreeze-hook
#   -F/opt/hook:                                         fsfreeze-hook=/opt/hook
#   -b a,b,c -b d:                                       block-rpcs=c,b,a,d
source "$(dirname "$0")/lib.sh"
debian "$work/root" trixie-backports qemu-guest-agent=1:11.1.3+ds-1~bpo13+1

dumped() { (in_root "$work/root" usr/sbin/qemu-ga --dump-conf "${@:2}") | grep "^$1="; }
expect '-F /opt/hook' "$(dumped fsfreeze-hook -F /opt/hook)" 'fsfreeze-hook=/etc/qemu/fsfreeze-hook'
expect '-F/opt/hook' "$(dumped fsfreeze-hook -F/opt/hook)" 'fsfreeze-hook=/opt/hook'
expect '-b a,b,c -b d' "$(dumped block-rpcs -b a,b,c -b d)" 'block-rpcs=c,b,a,d'

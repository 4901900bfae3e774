#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, util-linux 2.38.1, Python 3.11 (2026-11-30): the event that poll(2) gives on /proc/self/mountinfo is taken back by poll
# itself, not by reading: asked a second time nothing has changed, although the list was not read, and reading it first keeps the
# event. A process that asks and then fails to read has lost it. A freeze of a file system is no change; a remount is one.
#
# Seen:
#   after a mount, asked twice:                          changed unchanged
#   after a mount, read first, then asked:               changed
#   after a freeze and a thaw:                           unchanged
#   after a remount:                                     changed
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 16M
cat >"$work/look.py" <<'END'
import os, select, subprocess, sys
work = sys.argv[1]
fd = os.open('/proc/self/mountinfo', os.O_RDONLY)
poll = select.poll()
poll.register(fd, select.POLLPRI)
ask = lambda: 'changed' if poll.poll(0) else 'unchanged'
run = lambda *words: subprocess.run(words, check=True)
os.mkdir(f'{work}/a')
run('mount', '-t', 'tmpfs', 'a', f'{work}/a')
print(ask(), ask())
run('umount', f'{work}/a')
os.lseek(fd, 0, 0)
while os.read(fd, 65536):
    pass
print(ask())
run('fsfreeze', '-f', f'{work}/ext4')
run('fsfreeze', '-u', f'{work}/ext4')
print(ask())
run('mount', '-o', 'remount,ro', f'{work}/ext4')
print(ask())
END
seen=$(python3 "$work/look.py" "$work")
expect 'after a mount, asked twice' "$(sed -n 1p <<<"$seen")" 'changed unchanged'
expect 'after a mount, read first, then asked' "$(sed -n 2p <<<"$seen")" changed
expect 'after a freeze and a thaw' "$(sed -n 3p <<<"$seen")" unchanged
expect 'after a remount' "$(sed -n 4p <<<"$seen")" changed

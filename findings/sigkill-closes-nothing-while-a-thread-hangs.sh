#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Linux 6.18.44, util-linux 2.38.1, Python 3.11 (2026-11-30): a process that gets SIGKILL while one of its threads waits in FIFREEZE does
# not hang up. Its sockets stay open until that one call has come back, for all threads share one table of descriptors: whoever
# watches for the end of the connection sees none, although every other thread is gone and the process is no more than a zombie of its
# main thread. The call is made to wait here by an image that lies on a frozen file system.
#
# Seen:
#   state of the killed process:                         Z
#   end of its socket while the call waits:              no
#   end of its socket after the call has come back:      yes
source "$(dirname "$0")/lib.sh" mounts
file_system ext4 64M
outer=$work/ext4
truncate -s 16M "$outer/inner.image"
mkfs.ext4 -q "$outer/inner.image"
mkdir "$work/inner"
mount -o loop "$outer/inner.image" "$work/inner"
at_end+=("umount -l $work/inner" "fsfreeze -u $work/inner" "fsfreeze -u $outer")
head -c 1000000 /dev/urandom >"$work/inner/dirty"
fsfreeze -f "$outer"

cat >"$work/look.py" <<'END'
import fcntl, os, select, signal, socket, subprocess, sys, threading, time
inner, outer = sys.argv[1:]
FIFREEZE = 0xC0045877
ours, theirs = socket.socketpair()
pid = os.fork()
if pid == 0:
    ours.close()
    directory = os.open(inner, os.O_RDONLY)
    threading.Thread(target=lambda: fcntl.ioctl(directory, FIFREEZE, 0)).start()
    while True:
        time.sleep(60)
theirs.close()
waits = lambda: any(open(f'/proc/{pid}/task/{task}/stat').read().rsplit(')', 1)[1].split()[0] == 'D' for task in os.listdir(f'/proc/{pid}/task'))
while not waits():
    time.sleep(0.01)
os.kill(pid, signal.SIGKILL)
state = lambda: open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0]
for _ in range(500):
    if state() == 'Z':
        break
    time.sleep(0.01)
ended = lambda seconds: 'yes' if select.select([ours], [], [], seconds)[0] else 'no'
print(state(), ended(1))
subprocess.run(['fsfreeze', '-u', outer], check=True)
print(ended(30))
os.waitpid(pid, 0)
END
seen=$(python3 "$work/look.py" "$work/inner" "$outer")
fsfreeze -u "$work/inner" 2>/dev/null || true
expect 'state of the killed process' "$(head -1 <<<"$seen" | cut -d' ' -f1)" Z
expect 'end of its socket while the call waits' "$(head -1 <<<"$seen" | cut -d' ' -f2)" no
expect 'end of its socket after the call has come back' "$(tail -1 <<<"$seen")" yes

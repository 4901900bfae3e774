#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command where no file system of the machine can be reached: an overlay of the root as the new root, with nothing
# else mounted from a disk. For `unshare --mount --propagation private enter.sh PROJECT COMMAND [WORD...]`.
set -eu
project=$1
shift
mount -t tmpfs lab /mnt
mkdir /mnt/root /mnt/upper /mnt/work /mnt/upper2 /mnt/work2
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work lab /mnt/root
mount -t proc proc /mnt/root/proc
mount --rbind /dev /mnt/root/dev
mount --rbind /sys /mnt/root/sys
for directory in mnt tmp run; do mount -t tmpfs lab "/mnt/root/$directory"; done
# The project may lie on a file system of its own, or below one of those directories.
mkdir -p "/mnt/root$project" /mnt/root/tmp/machine
mount -t overlay -o "lowerdir=$project,upperdir=/mnt/upper2,workdir=/mnt/work2" lab "/mnt/root$project"
cd /mnt/root
pivot_root . tmp/machine
umount -l /tmp/machine
exec "$@"

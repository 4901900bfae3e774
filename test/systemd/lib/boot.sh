#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# boot.sh BASE: boots the systemd of the root file system BASE in namespaces of its own, without touching BASE. To be
# run in new mount, pid, network, UTS, IPC and cgroup namespaces. Of the machine nothing can be written but its own control
# group: sysfs and sysctls are read-only, all file systems are in memory, and there is no device of a disk.
set -eu
base=$1
mount --make-rprivate /
scratch=/mnt
mount -t tmpfs -o mode=755 box "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
root=$scratch/root
mount -t overlay -o "lowerdir=$base,upperdir=$scratch/upper,workdir=$scratch/work" box "$root"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
if [ -e "$root/proc/sysrq-trigger" ]; then mount --bind /dev/null "$root/proc/sysrq-trigger"; fi
# systemd has no units of devices where /sys itself is read-only.
mount -t sysfs sys "$root/sys"
for directory in "$root"/sys/*/; do
	mount --bind "$directory" "$directory"
	mount -o remount,bind,ro "$directory"
done
mount -t cgroup2 cgroup "$root/sys/fs/cgroup"

mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
	IFS=: read -r name major minor <<<"$node"
	mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"

cd "$root"
mkdir -p machine
pivot_root . machine
umount -l /machine
export container=concierge-box
exec /usr/lib/systemd/systemd --unit=multi-user.target --log-target=console --log-level=warning

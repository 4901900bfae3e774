// SPDX-License-Identifier: Apache-2.0
/** What the guest is made of. A change here makes a new base image. */

/** Debian's packages in the guest. */
export const guestPackages = [
  'systemd-sysv',
  'dbus',
  'libpam-systemd',
  'udev',
  'kmod',
  'iproute2',
  'util-linux',
  'util-linux-extra',
  'xfsprogs',
  'e2fsprogs',
  'procps',
  'passwd',
  'dmsetup',
  'strace',
  'socat',
  'qemu-guest-agent',
] as const;

/** Modules that mount the root file system, loaded by the initramfs in the order of their dependencies. */
export const bootModules = ['virtio_pci', 'virtio_blk', 'ext4', 'crc32c_generic'] as const;

/** Modules that newer kernels have no more: what they did is part of others. */
export const olderModules: readonly string[] = ['crc32c_generic'];

/** Modules that tests need besides; they are loaded by udev or by hand. */
export const guestModules = [
  'virtio_scsi',
  'sd_mod',
  'virtio_net',
  'virtio_console',
  'xfs',
  'dm_mod',
  'loop',
  'fuse',
  'dummy',
  'vsock',
  'vsock_loopback',
  'vmw_vsock_virtio_transport',
  'af_packet',
  'autofs4',
] as const;

/** Tools that make file systems, for the machine that has all of them. */
export const fileSystemPackages = [
  'btrfs-progs', 'f2fs-tools', 'nilfs-tools', 'exfatprogs', 'dosfstools', 'jfsutils', 'reiserfsprogs', 'udftools', 'ntfs-3g', 'ocfs2-tools', 'gfs2-utils',
] as const;

/** Their drivers, as far as a kernel has them. */
export const fileSystemModules: readonly string[] = [
  'btrfs', 'f2fs', 'nilfs2', 'exfat', 'vfat', 'msdos', 'jfs', 'reiserfs', 'udf', 'minix', 'ntfs3', 'ntfs', 'ocfs2', 'ocfs2_stack_o2cb', 'gfs2',
  'nls_ascii', 'nls_utf8', 'nls_cp437', 'nls_iso8859-1', 'crc32c_intel',
];

/** Under emulation every unit costs: these do nothing for the tests. */
export const maskedUnits = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'dev-hugepages.mount',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'proc-sys-fs-binfmt_misc.automount',
  'systemd-binfmt.service',
  'systemd-pstore.service',
  'modprobe@drm.service',
  'getty@tty1.service',
  'serial-getty@ttyS0.service',
  'systemd-update-utmp.service',
  'systemd-timesyncd.service',
  'systemd-update-utmp-runlevel.service',
] as const;

/** Name of the port on which the guest takes commands of the tests. */
export const SHELL_PORT = 'lab.shell.0';

/** Runs base64 lines and answers `STATUS BASE64`. Out of band: it shows what the guest itself sees. */
const shellService = `#!/bin/bash
exec 3<>/dev/virtio-ports/${SHELL_PORT}
echo ready >&3
while true; do
  if IFS= read -r line <&3; then
    output=$(base64 -d <<<"$line" | bash 2>&1 3>&- | base64 -w0; exit \${PIPESTATUS[1]})
    printf '%d %s\\n' $? "$output" >&3
  else
    sleep 1
  fi
done
`;

/** Files of the guest, by path, with their modes where they are not 0644. */
export const guestFiles: readonly { readonly path: string; readonly text: string; readonly mode?: number }[] = [
  { path: 'etc/fstab', text: '/dev/vda / ext4 defaults 0 1\n' },
  { path: 'etc/hostname', text: 'guest\n' },
  { path: 'usr/local/sbin/lab-shell', text: shellService, mode: 0o755 },
  {
    path: 'etc/systemd/system/lab-shell.service',
    text: `[Unit]
Description=Commands of the tests
DefaultDependencies=no
After=systemd-udev-trigger.service
[Service]
ExecStart=/usr/local/sbin/lab-shell
OOMScoreAdjust=-1000
`,
  },
  {
    path: 'etc/udev/rules.d/90-lab-shell.rules',
    text: `SUBSYSTEM=="virtio-ports", ATTR{name}=="${SHELL_PORT}", TAG+="systemd", ENV{SYSTEMD_WANTS}="lab-shell.service"\n`,
  },
  { path: 'etc/modules-load.d/lab.conf', text: 'virtio_console\n' },
  { path: 'etc/systemd/network/eth.network', text: '[Match]\nName=eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n' },
  { path: 'etc/systemd/journald.conf.d/lab.conf', text: '[Journal]\nStorage=volatile\n' },
];

export const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules); do insmod /lib/$module; done
until mount -t ext4 /dev/vda /root 2>/dev/null; do sleep 0.1; done
umount /proc /sys
mount --move /dev /root/dev
exec switch_root /root /sbin/init
`;

/** What makes an emulated machine quick. */
export const kernelCommandLine =
  'root=/dev/vda rw quiet console=ttyS0 mitigations=off tsc=reliable no_timer_check random.trust_cpu=on rcupdate.rcu_expedited=1 ' +
  'audit=0 net.ifnames=0 systemd.show_status=0 8250.nr_uarts=2';

// SPDX-License-Identifier: Apache-2.0

export interface FileSystemKind {
  readonly type: string;
  /** Makes one on `$device`. */
  readonly make: string;
  readonly mount?: string;
  /** What is not asked of it, and why. */
  readonly spared?: 'a thaw of what is not frozen';
}

/** All that Debian can make and mount, each 320 MiB large. */
export const fileSystems: readonly FileSystemKind[] = [
  { type: 'ext2', make: 'mkfs.ext2 -q -F' },
  { type: 'ext4', make: 'mkfs.ext4 -q -F' },
  { type: 'xfs', make: 'mkfs.xfs -q -f' },
  { type: 'btrfs', make: 'mkfs.btrfs -q -f' },
  { type: 'f2fs', make: 'mkfs.f2fs -q -f' },
  { type: 'nilfs2', make: 'mkfs.nilfs2 -q -f' },
  { type: 'jfs', make: 'mkfs.jfs -q' },
  { type: 'reiserfs', make: 'mkfs.reiserfs -q -ff' },
  // Kernels up to 6.1 do not survive a thaw of one that is not frozen.
  { type: 'gfs2', make: 'mkfs.gfs2 -q -O -p lock_nolock -j 1 -J 32', spared: 'a thaw of what is not frozen' },
  { type: 'ocfs2', make: 'yes | mkfs.ocfs2 -q -M local -F' },
  { type: 'vfat', make: 'mkfs.vfat' },
  { type: 'exfat', make: 'mkfs.exfat' },
  { type: 'ntfs3', make: 'mkntfs -q -Q -F', mount: '-o discard' },
  { type: 'ntfs', make: 'mkntfs -q -Q -F' },
  { type: 'udf', make: 'mkudffs --media-type=hd -b 512' },
  { type: 'minix', make: 'mkfs.minix -3' },
];

/** Half a GiB apart on one disk, by device-mapper: `/dev/mapper/fs-TYPE`. */
export const SIZE_MEBIBYTES = 320;
const sectors = SIZE_MEBIBYTES * 2048;

/** Mounts what can be at `/fs/TYPE`; prints `TYPE mounted`, or `TYPE` and why it is not. */
export const mountAll = (disk: string): string =>
  fileSystems
    .map(
      ({ type, make, mount = '' }, index) => `(
      device=/dev/mapper/fs-${type}
      echo '0 ${sectors} linear ${disk} ${index * sectors}' | dmsetup create fs-${type} && udevadm settle
      modprobe -q ${type} || true
      # ntfs is another driver in each generation: what is meant is that of the kernel.
      grep -qw ${type} /proc/filesystems || { echo '${type} not in this kernel'; exit; }
      said=$(timeout 120 sh -c "${make.replace('| ', '| timeout 100 ')} $device" 2>&1) || { echo "${type} cannot be made: $(tail -n 1 <<<"$said")"; exit; }
      mkdir -p /fs/${type}
      said=$(timeout 60 mount -i -t ${type} ${mount} $device /fs/${type} 2>&1) || { echo "${type} does not mount: $(head -n 1 <<<"$said" | sed 's/.*: //')"; exit; }
      echo '${type} mounted'
    ) </dev/null`,
    )
    .join('\n');

/** Asks the kernel, with util-linux's programs, what it makes of `/fs/TYPE`: lines of `WHAT ANSWER`. */
export const askKernel = ({ type, spared }: FileSystemKind): string => `
  at=/fs/${type}
  said() { sed 's/.*failed: //; s/.*: //' | head -n 1; }
  try() { local what=$1; shift; local out; if out=$(timeout 60 "$@" 2>&1); then echo "$what ok"; else echo "$what $(said <<<"$out")"; fi; }
  trim() { local what=$1; shift; local out; if out=$(timeout 120 fstrim -v "$@" $at 2>&1); then sed -n "s/.*(\\([0-9]*\\) bytes).*/$what \\1/p" <<<"$out"; else echo "$what $(said <<<"$out")"; fi; }
  if timeout 60 fsfreeze -f $at 2>/run/said; then
    echo 'freeze ok'
    try again fsfreeze -f $at
    try thaw fsfreeze -u $at
    ${spared === undefined ? 'try thaw-again fsfreeze -u $at' : "echo 'thaw-again not asked'"}
  else
    echo "freeze $(said </run/said)"
  fi
  head -c 8M /dev/urandom >$at/junk && sync -f $at && rm $at/junk && sync -f $at
  trim trim
  trim trim-again
  trim minimum -m 1T
  if timeout 60 mount -i -o remount,ro $at 2>/run/said; then trim read-only; else echo "read-only not remounted: $(said </run/said)"; fi
`;

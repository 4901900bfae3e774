// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cache } from './packages.ts';

const base = join(cache, 'base');

/** Makes the root file system that all tests begin from, once: a small Debian with the reference agent. */
export function makeBase(): void {
  if (existsSync(base)) return;
  mkdirSync(cache, { recursive: true });
  const made = `${base}.new`;
  rmSync(made, { recursive: true, force: true });
  const result = spawnSync('mmdebstrap', ['--quiet', '--variant=minbase', '--include=qemu-guest-agent,init-system-helpers', 'bookworm', made], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`mmdebstrap failed: ${result.stderr}`);
  renameSync(made, base);
}

/**
 * What answers for systemctl. It keeps the units that are active in /var/tmp/active and writes down what is asked of it:
 * that is what a script does to a machine.
 */
const systemctl = `#!/bin/sh
echo "$*" >>/var/tmp/systemctl.log
verb= unit=
for word in "$@"; do
  case $word in
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$word; else unit=$word; fi ;;
  esac
done
mkdir -p /var/tmp/active
case $verb in
  start | restart) touch "/var/tmp/active/$unit" ;;
  stop) rm -f "/var/tmp/active/$unit" ;;
  is-active) [ -e "/var/tmp/active/$unit" ] ;;
  cat) [ -e "/etc/systemd/system/$unit" ] || [ -e "/usr/lib/systemd/system/$unit" ] ;;
esac
`;

export interface Outcome {
  readonly status: number;
  readonly text: string;
}

/** A root file system of its own for one test. Programs run in it with a /proc, in a mount namespace that goes with them. */
export class GuestRoot {
  readonly path: string;

  constructor(name: string) {
    makeBase();
    this.path = join(cache, `root-${name}`);
    this.discard();
    spawnSync('cp', ['-a', base, this.path]);
  }

  discard(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** As if systemd ran, the port were there, and the reference agent served it. */
  withSystemd(): void {
    this.write('usr/bin/systemctl', systemctl, 0o755);
    mkdirSync(join(this.path, 'run/systemd/system'), { recursive: true });
    this.write('dev/virtio-ports/org.qemu.guest_agent.0', '');
    this.write('var/tmp/active/qemu-guest-agent.service', '');
  }

  /** Runs a script of sh in it. */
  run(script: string): Outcome {
    const enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"';
    const { status, stdout, stderr } = spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', enter, this.path, script], {
      encoding: 'utf8',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    });
    return { status: status ?? 1, text: stdout + stderr };
  }

  /** Runs the host's rpm on it, whose scripts run in it. */
  rpm(...words: readonly string[]): Outcome {
    const enter = 'mount -t proc proc "$0/proc" && exec rpm --root "$0" --nodeps "$@"';
    const { status, stdout, stderr } = spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', enter, this.path, ...words], { encoding: 'utf8' });
    return { status: status ?? 1, text: stdout + stderr };
  }

  bring(file: string): string {
    cpSync(file, join(this.path, 'var/tmp', file.slice(file.lastIndexOf('/') + 1)));
    return `/var/tmp/${file.slice(file.lastIndexOf('/') + 1)}`;
  }

  write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), text);
    chmodSync(join(this.path, path), mode);
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }

  /** Exists, whatever it is; links are not followed. */
  has(path: string): boolean {
    return this.run(`[ -e '/${path}' ] || [ -L '/${path}' ]`).status === 0;
  }

  /** What systemctl was asked since the last time. */
  systemctlCalls(): readonly string[] {
    const log = join(this.path, 'var/tmp/systemctl.log');
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    rmSync(log, { force: true });
    return text.split('\n').filter((line) => line !== '');
  }

  /** Every path but those where package managers and these tests keep their own. */
  listing(): readonly string[] {
    const kept = /^\.\/(proc|dev|run\/systemd|root\/\.rpmdb|var\/(lib\/dpkg|lib\/rpm|lib\/systemd|log|cache|tmp))(\/|$)|^\.\/etc\/\.pwd\.lock$/;
    return this.run('cd / && find . -xdev -mindepth 1').text.split('\n').filter((path) => path !== '' && !kept.test(path)).toSorted();
  }
}

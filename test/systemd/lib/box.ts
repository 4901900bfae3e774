// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { cache as packageCache, installed, isRoot } from '../../package-linux/lib/packages.ts';

const cache = join(packageCache, '../systemd');
const bootScript = resolve(import.meta.dirname, 'boot.sh');
const namespaces = ['--mount', '--pid', '--fork', '--net', '--uts', '--ipc', '--cgroup', '--kill-child'];
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };

export interface Outcome {
  readonly status: number;
  readonly text: string;
}

/** What this machine lacks for a systemd in namespaces of its own; empty where it has everything. */
export function missingForBox(): string {
  if (!isRoot) return 'root';
  for (const program of ['mmdebstrap', 'unshare', 'nsenter', 'dpkg-deb']) if (installed(program) === undefined) return program;
  if (cgroupMount() === undefined) return 'cgroup v2';
  const tried = spawnSync('unshare', [...namespaces, 'sh', '-c', 'mount --make-rprivate / && mount -t sysfs sys /mnt && mount -t cgroup2 cgroup /mnt'], { encoding: 'utf8' });
  return tried.status === 0 ? '' : `namespaces and cgroup v2: ${tried.stderr.trim()}`;
}

/** Makes the root file system of a Debian release with systemd and the reference agent, once. */
function baseOf(release: string): string {
  const base = join(cache, release);
  if (existsSync(base)) return base;
  mkdirSync(cache, { recursive: true });
  rmSync(`${base}.new`, { recursive: true, force: true });
  const include = '--include=systemd-sysv,dbus,init-system-helpers,qemu-guest-agent,procps,sysvinit-utils';
  const result = spawnSync('mmdebstrap', ['--quiet', '--variant=minbase', include, release, `${base}.new`], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`mmdebstrap failed: ${result.stderr}`);
  renameSync(`${base}.new`, base);
  return base;
}

/** A Debian that systemd has booted, without a virtual machine. What is written in it is gone with it. */
export class Box {
  readonly #process: ChildProcess;
  readonly #init: number;
  readonly #cgroup: ControlGroup;

  private constructor(process: ChildProcess, init: number, cgroup: ControlGroup) {
    this.#process = process;
    this.#init = init;
    this.#cgroup = cgroup;
  }

  /** @throws when systemd has not come up within a minute */
  static async boot(release: string): Promise<Box> {
    const base = baseOf(release);
    const cgroup = new ControlGroup();
    // The shell enters the control group before it becomes the root of a cgroup namespace.
    const command = 'echo $$ >"$0/cgroup.procs" && exec unshare "$@"';
    const process = spawn('sh', ['-c', command, cgroup.path, ...namespaces, 'bash', bootScript, base], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [process.stdout, process.stderr]) stream?.on('data', (bytes) => (said += String(bytes)));
    for (let tries = 0; tries < 600 && process.exitCode === null; tries += 1) {
      await pause(100);
      const init = childOf(process.pid ?? 0);
      if (init === undefined) continue;
      const box = new Box(process, init, cgroup);
      const { text } = box.run('systemctl is-system-running 2>&1');
      if (/^(running|degraded)$/m.test(text)) return box;
    }
    process.kill('SIGKILL');
    await cgroup.remove();
    throw new Error(`systemd of ${release} did not come up: ${said}`);
  }

  async shutDown(): Promise<void> {
    const ended = new Promise((settle) => this.#process.once('exit', settle));
    this.#process.kill('SIGKILL');
    await ended;
    await this.#cgroup.remove();
  }

  /** Runs a script of sh in it. */
  run(script: string, input?: Uint8Array): Outcome {
    const enter = ['--target', String(this.#init), '--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', '--', '/bin/sh', '-c', script];
    const { status, stdout, stderr } = spawnSync('nsenter', enter, { encoding: 'utf8', env: environment, timeout: 120_000, ...(input === undefined ? {} : { input }) });
    return { status: status ?? 1, text: stdout + stderr };
  }

  /** The same for what has to succeed; answers what it printed. */
  must(script: string): string {
    const { status, text } = this.run(script);
    if (status !== 0) throw new Error(`${script}: status ${status}: ${text}`);
    return text.trim();
  }

  write(path: string, text: string | Uint8Array): void {
    const outcome = this.run(`mkdir -p '${path.slice(0, path.lastIndexOf('/'))}' && cat >'${path}'`, Buffer.from(text));
    if (outcome.status !== 0) throw new Error(outcome.text);
  }

  bring(file: string): string {
    const path = `/root/${file.slice(file.lastIndexOf('/') + 1)}`;
    this.write(path, readFileSync(file));
    return path;
  }

  /**
   * A device with the name of the agent's port. udev, which would tell systemd of it, is not there: systemd reads what udev
   * would have left in its database. The device behind it is /dev/null, so the agent needs another channel to be reached.
   */
  plugPort(wanted: string): void {
    this.must(`
      mkdir -p /dev/virtio-ports /run/udev/data /run/udev/tags/systemd
      ln -sf ../null /dev/virtio-ports/org.qemu.guest_agent.0
      printf '%s\\n' S:virtio-ports/org.qemu.guest_agent.0 I:1 E:SYSTEMD_WANTS=${wanted} G:systemd Q:systemd V:1 >/run/udev/data/c1:3
      touch /run/udev/tags/systemd/c1:3
      systemctl daemon-reload`);
  }
}

/** The only child of a process, as `unshare --fork` has one. */
function childOf(pid: number): number | undefined {
  try {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
    return child > 0 ? child : undefined;
  } catch {
    return undefined;
  }
}

const cgroupMount = (): string | undefined => /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];

/** A control group of version 2 that systemd takes for the root of all. */
class ControlGroup {
  readonly path: string;

  constructor() {
    const mounted = cgroupMount();
    if (mounted === undefined) throw new Error('cgroup v2 is mounted nowhere');
    this.path = mkdtempSync(join(mounted, 'concierge-box-'));
  }

  /** Its processes take a moment to be gone. */
  async remove(): Promise<void> {
    for (let tries = 0; tries < 100; tries += 1) {
      try {
        removeDirectories(this.path);
        return;
      } catch {
        await pause(50);
      }
    }
    throw new Error(`${this.path} is still in use`);
  }
}

function removeDirectories(path: string): void {
  for (const name of readdirSync(path)) if (statSync(join(path, name)).isDirectory()) removeDirectories(join(path, name));
  rmdirSync(path);
}

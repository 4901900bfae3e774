// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseImage, type Kind } from './base-image.ts';
import { GuestShell } from './guest-shell.ts';
import { ofHost } from './host-system.ts';
import { run } from './host.ts';
import { LineSocket } from './line-socket.ts';
import { isWatched, observe } from './observed.ts';
import { Qmp } from './qmp.ts';
import { kernelCommandLine, SHELL_PORT } from './recipe.ts';

export interface MachineOptions {
  /** A directory whose contents the guest finds below /payload. */
  readonly payload?: string;
  /** Further arguments of QEMU. */
  readonly devices?: readonly string[];
  readonly kernelArguments?: string;
  readonly kind?: Kind;
}

/** How a guest goes on from a snapshot. */
export interface RestoreOptions {
  /** Arguments of QEMU instead of the `devices` that it was booted with: the same devices, another GUID. */
  readonly devices: readonly string[];
  /** By how many seconds the host's wall clock is ahead of what it is; its other clocks are not. */
  readonly ahead: number;
}

/** Emulated, and perhaps beside other work. */
export const BOOT_WITHIN = 600_000;

/** Megabytes. */
export const MEMORY = 768;

export const AGENT_PORT = 'org.qemu.guest_agent.0';

/**
 * A virtual machine of raw QEMU: the agent's port, a serial line and the shell's port are sockets in `directory`. Its disk is
 * an overlay that goes with it.
 */
export class Machine {
  readonly directory: string;
  readonly qmp: Qmp;
  readonly shell: GuestShell;
  readonly #process: ChildProcess;
  readonly #words: (devices: readonly string[]) => Promise<readonly string[]>;
  /** The latest of each socket. */
  readonly #hosts = new Map<string, LineSocket>();

  private constructor(directory: string, process: ChildProcess, qmp: Qmp, shell: GuestShell, words: (devices: readonly string[]) => Promise<readonly string[]>) {
    this.#words = words;
    this.directory = directory;
    this.qmp = qmp;
    this.shell = shell;
    this.#process = process;
  }

  /** Resolves once the guest takes commands of the shell. */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const image = await baseImage(options.kind);
    const directory = mkdtempSync(join(tmpdir(), 'concierge-vm-'));
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', image.disk, '-F', 'qcow2', join(directory, 'root.qcow2')]);
    const payload = options.payload === undefined ? [] : await payloadDisk(options.payload, directory);
    const words = (devices: readonly string[]): Promise<readonly string[]> =>
      ofHost('qemu-system-x86_64', ...machineArguments(directory, image, options), ...payload, ...devices);
    const qemu = started(await words(options.devices ?? []));
    const ended = once(qemu, 'exit').then(([status]) => {
      throw new Error(`QEMU has ended with ${String(status)}`);
    });
    ended.catch(() => {});
    try {
      const qmp = await Promise.race([Qmp.connect(join(directory, 'qmp.sock')), ended]);
      const shell = await Promise.race([GuestShell.connect(join(directory, 'shell.sock'), BOOT_WITHIN), ended]);
      const machine = new Machine(directory, qemu, qmp, shell, words);
      if (payload.length > 0) {
        await shell.run('mkdir -p /payload && udevadm settle && mount -o ro /dev/disk/by-id/virtio-payload /payload');
      }
      if (isWatched) await note(machine);
      return machine;
    } catch (error) {
      qemu.kill('SIGKILL');
      throw new Error(`the machine did not boot: ${String(error)}\n${consoleText(directory).slice(-4000)}`, { cause: error });
    }
  }

  /** Takes a snapshot of the running guest, and keeps it in its disk. */
  async save(name: string): Promise<void> {
    const said = await this.qmp.execute('human-monitor-command', { 'command-line': `savevm ${name}` });
    if (said !== '') throw new Error(`savevm: ${String(said)}`);
  }

  /** Ends this one. Resolves to the guest of the snapshot in another process of QEMU, which stands still until it is told to `cont`. */
  async restored(name: string, { devices, ahead }: RestoreOptions): Promise<Machine> {
    await this.#end();
    const qemu = started([...(await this.#words(devices)), '-loadvm', name, '-S'], await clockAhead(this.directory, ahead));
    const qmp = await Qmp.connect(join(this.directory, 'qmp.sock'));
    const shell = await GuestShell.resumed(join(this.directory, 'shell.sock'));
    return new Machine(this.directory, qemu, qmp, shell, this.#words);
  }

  /** The host's end of the agent's virtio-serial port. QEMU takes one connection at a time: the one before is closed. */
  agent(): Promise<LineSocket> {
    return this.#host('agent');
  }

  /** The host's end of /dev/ttyS1. */
  serial(): Promise<LineSocket> {
    return this.#host('serial');
  }

  /** Closes what tests have left open. */
  leave(): void {
    for (const host of this.#hosts.values()) host.close();
    this.#hosts.clear();
  }

  async #host(name: string): Promise<LineSocket> {
    // Of this socket alone: the others may have hosts of their own.
    this.#hosts.get(name)?.close();
    const host = await LineSocket.connect(join(this.directory, `${name}.sock`));
    this.#hosts.set(name, host);
    return host;
  }

  console(): string {
    return consoleText(this.directory);
  }

  async destroy(): Promise<void> {
    await this.#end();
    rmSync(this.directory, { recursive: true });
  }

  async #end(): Promise<void> {
    this.leave();
    this.shell.close();
    this.qmp.close();
    if (this.#process.exitCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}

/** Whatever becomes of the tests, the machine does not outlive them. */
const started = (words: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess =>
  spawn('setpriv', ['--pdeathsig', 'KILL', ...words], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });

/** In the machine's folder, for QEMU may be in a chroot. */
async function clockAhead(directory: string, seconds: number): Promise<NodeJS.ProcessEnv> {
  const library = join(directory, 'faketime.so');
  copyFileSync((await run('sh', ['-c', 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'])).trim(), library);
  return { LD_PRELOAD: library, FAKETIME: `+${seconds}s`, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' };
}

async function note({ qmp, shell }: Machine): Promise<void> {
  const { qemu, package: packaged } = (await qmp.execute('query-version')) as { qemu: Record<'major' | 'minor' | 'micro', number>; package: string };
  observe('QEMU', `${qemu.major}.${qemu.minor}.${qemu.micro} ${packaged}`);
  observe('kernel', (await shell.run('uname -r')).replace('-cloud', ''));
  observe('systemd', (await shell.run('systemctl --version')).split('\n')[0] ?? '');
  observe('qemu-guest-agent of the guest', await shell.run("dpkg-query -W -f '${Version}' qemu-guest-agent"));
}

const socket = (id: string, directory: string): string => `socket,id=${id},path=${join(directory, `${id}.sock`)},server=on,wait=off`;

function machineArguments(directory: string, image: { readonly kernel: string; readonly initrd: string }, options: MachineOptions): readonly string[] {
  const pairs: readonly (readonly [string, string])[] = [
    ['-display', 'none'],
    ['-machine', 'pc'],
    ['-accel', 'tcg,thread=multi'],
    ['-cpu', 'max'],
    ['-smp', '2'],
    ['-m', String(MEMORY)],
    ['-kernel', image.kernel],
    ['-initrd', image.initrd],
    ['-append', `${kernelCommandLine} ${options.kernelArguments ?? ''}`],
    // An explicit device: one of `if=virtio` would come behind the others and not be vda.
    ['-drive', `file=${join(directory, 'root.qcow2')},if=none,id=root,format=qcow2,cache=unsafe,discard=unmap`],
    ['-device', 'virtio-blk-pci,drive=root,serial=root'],
    ['-chardev', `file,id=console,path=${join(directory, 'console.log')}`],
    ['-serial', 'chardev:console'],
    ['-chardev', socket('serial', directory)],
    ['-serial', 'chardev:serial'],
    ['-chardev', socket('qmp', directory)],
    ['-mon', 'chardev=qmp,mode=control'],
    // A device of its own: the agent may reset that of its port.
    ['-device', 'virtio-serial-pci,id=shellports'],
    ['-chardev', socket('shell', directory)],
    ['-device', `virtserialport,bus=shellports.0,nr=1,chardev=shell,name=${SHELL_PORT}`],
    ['-device', 'virtio-serial-pci,id=ports'],
    ['-chardev', socket('agent', directory)],
    ['-device', `virtserialport,bus=ports.0,nr=1,chardev=agent,id=agentport,name=${AGENT_PORT}`],
    ['-nic', 'user,model=virtio-net-pci,restrict=on'],
    ['-device', 'virtio-rng-pci'],
  ];
  return ['-nodefaults', '-no-user-config', ...pairs.flat()];
}

/** An image with the directory's contents, for a disk with the serial number `payload`. */
export async function payloadImage(payload: string, directory: string): Promise<string> {
  const file = join(directory, 'payload.img');
  const kilobytes = Number((await run('du', ['-sk', '--apparent-size', payload])).split('\t')[0]);
  await run('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-E', 'root_owner=0:0', '-d', payload, file, `${Math.ceil(kilobytes * 1.2) + 8192}k`]);
  return file;
}

async function payloadDisk(payload: string, directory: string): Promise<readonly string[]> {
  const file = await payloadImage(payload, directory);
  return ['-drive', `file=${file},if=none,id=payload,format=raw,readonly=on`, '-device', 'virtio-blk-pci,drive=payload,serial=payload'];
}

/** What the guest has written to its first serial line. */
export function consoleText(directory: string): string {
  try {
    return readFileSync(join(directory, 'console.log'), 'latin1');
  } catch {
    return '';
  }
}

// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { baseImage } from './base-image.ts';
import { DomainEvents } from './domain-events.ts';
import { GuestShell } from './guest-shell.ts';
import { hostSystem, sharingScript } from './host-system.ts';
import { run } from './host.ts';
import { BOOT_WITHIN, consoleText, payloadImage } from './machine.ts';
import { observe } from './observed.ts';
import { kernelCommandLine, SHELL_PORT } from './recipe.ts';

const URI = 'qemu:///system';

/** libvirt without systemd and without security drivers, as root, started by hand. */
export class Libvirt {
  readonly #directory: string;
  readonly #start: () => ChildProcess;
  #daemon: ChildProcess;
  readonly #events: DomainEvents[] = [];

  private constructor(directory: string, start: () => ChildProcess) {
    this.#directory = directory;
    this.#start = start;
    this.#daemon = start();
  }

  static async start(): Promise<Libvirt> {
    // A system with a libvirt of its own, or none for this machine's.
    const root = await hostSystem();
    // libvirt parses these names even when it is told to run machines as root.
    await run('sh', ['-c', 'getent group kvm || groupadd -r kvm; getent group libvirt-qemu || groupadd -r libvirt-qemu; getent passwd libvirt-qemu || useradd -r -g libvirt-qemu libvirt-qemu']);
    const directory = mkdtempSync(join(tmpdir(), 'concierge-libvirt-'));
    const configuration = join(directory, 'etc');
    mkdirSync(configuration);
    writeFileSync(
      join(configuration, 'qemu.conf'),
      'user = "root"\ngroup = "root"\ndynamic_ownership = 0\nremember_owner = 0\nsecurity_driver = "none"\nnamespaces = [ ]\ncgroup_controllers = [ ]\nstdio_handler = "file"\n',
    );
    writeFileSync(join(directory, 'libvirtd.conf'), 'log_outputs = "3:stderr"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n');
    mkdirSync('/run/libvirt', { recursive: true });
    mkdirSync('/etc/libvirt', { recursive: true });
    // qemu.conf has a fixed place: a mount that only the daemon sees leaves the machine's own, if there is one, alone.
    const inside = root === undefined ? '' : `chroot ${root} `;
    const shared = root === undefined ? '' : sharingScript(root);
    const start = `exec 2>${join(directory, 'libvirtd.log')}; ${shared}mkdir -p ${root ?? ''}/etc/libvirt && mount --bind ${configuration} ${root ?? ''}/etc/libvirt && exec ${inside}/usr/sbin/libvirtd -f ${join(directory, 'libvirtd.conf')} -p ${join(directory, 'pid')}`;
    const libvirt = new Libvirt(directory, () => spawn('unshare', ['--mount', 'sh', '-c', start], { stdio: 'ignore' }));
    await libvirt.#answers();
    observe('libvirt', /Running against daemon: (.*)/.exec(await libvirt.virsh('version', '--daemon'))?.[1] ?? 'unknown');
    return libvirt;
  }

  async #answers(): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.virsh('list');
        return;
      } catch (error) {
        if (attempt > 240 || this.#daemon.exitCode !== null) throw new Error(`libvirtd does not answer: ${readFileSync(join(this.#directory, 'libvirtd.log'), 'utf8').slice(-2000)}`, { cause: error });
        await wait(500);
      }
    }
  }

  /** The daemon alone: its machines go on. */
  async restart(): Promise<void> {
    this.#daemon.kill();
    if (this.#daemon.exitCode === null) await once(this.#daemon, 'exit');
    this.#daemon = this.#start();
    await this.#answers();
  }

  /** Resolves to what virsh says. @throws with its error */
  async virsh(...args: readonly string[]): Promise<string> {
    return (await run('virsh', ['-c', URI, ...args])).trim();
  }

  /** Starts a machine whose agent port is libvirt's; further elements go into `<devices>`. */
  async domain(name: string, options: { readonly payload: string; readonly devices?: string }): Promise<Domain> {
    const directory = join(this.#directory, name);
    mkdirSync(directory);
    const image = await baseImage();
    const disk = join(directory, 'root.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', image.disk, '-F', 'qcow2', disk]);
    const payload = await payloadImage(options.payload, directory);
    const data = join(directory, 'data.img');
    writeFileSync(data, '');
    truncateSync(data, 400 * 1024 * 1024);
    const xml = `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>768</memory>
  <vcpu current='2'>4</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>${image.kernel}</kernel><initrd>${image.initrd}</initrd><cmdline>${kernelCommandLine}</cmdline></os>
  <features><acpi/></features>
  <pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='unsafe' discard='unmap'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${payload}'/><target dev='vdb' bus='virtio'/><serial>payload</serial><readonly/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw' cache='unsafe' discard='unmap'/><source file='${data}'/><target dev='vdc' bus='virtio'/><serial>data</serial></disk>
    <serial type='file'><source path='${join(directory, 'console.log')}'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <channel type='unix'><source mode='bind' path='${join(directory, 'shell.sock')}'/><target type='virtio' name='${SHELL_PORT}'/></channel>
    <interface type='user'><model type='virtio'/></interface>
    <memballoon model='none'/>
    ${options.devices ?? ''}
  </devices>
</domain>
`;
    writeFileSync(join(directory, 'domain.xml'), xml);
    await this.virsh('create', join(directory, 'domain.xml'));
    const events = await DomainEvents.of(URI, name);
    this.#events.push(events);
    const console = (): string => consoleText(directory);
    const shell = await GuestShell.connect(join(directory, 'shell.sock'), BOOT_WITHIN).catch((error: unknown) => {
      throw new Error(`the machine did not boot: ${console().slice(-4000)}`, { cause: error });
    });
    await shell.run('mkdir -p /payload && udevadm settle && mount -o ro /dev/disk/by-id/virtio-payload /payload');
    return { name, shell, events, disk, data, console };
  }

  async stop(): Promise<void> {
    for (const events of this.#events) await events.stop();
    const names = await this.virsh('list', '--name');
    for (const name of names.split('\n').filter((line) => line !== '')) await this.virsh('destroy', name);
    this.#daemon.kill();
    if (this.#daemon.exitCode === null) await once(this.#daemon, 'exit');
    rmSync(this.#directory, { recursive: true });
  }
}

export interface Domain {
  readonly name: string;
  readonly shell: GuestShell;
  readonly events: DomainEvents;
  readonly disk: string;
  /** An empty disk, raw: its allocated blocks shrink when they are trimmed. */
  readonly data: string;
  console(): string;
}

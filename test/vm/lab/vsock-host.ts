// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MEMORY } from './machine.ts';

const program = join(import.meta.dirname, 'vhost-user-vsock.py');

export const GUEST_CID = 3;

/** Whether the kernel of this machine is the host's side. Then a peer can have no other CID than the host's. */
export const kernelHasVhostVsock = existsSync('/dev/vhost-vsock');

/**
 * The host's side of a machine's vsock: for each peer a Unix socket as Cloud Hypervisor and Firecracker have it, from which
 * the guest sees connections of the peer's CID. By the kernel where it can, else by a vhost-user back end of the lab's own.
 */
export class VsockHost {
  readonly directory: string;
  /** QEMU's arguments for the device. */
  readonly devices: readonly string[];
  readonly #process: ChildProcess;

  private constructor(directory: string, devices: readonly string[], process: ChildProcess) {
    this.directory = directory;
    this.devices = devices;
    this.#process = process;
  }

  /** @param peers CIDs by the names of their sockets. @throws with what the program says where it does not start */
  static async start(peers: Readonly<Record<string, number>>): Promise<VsockHost> {
    const directory = mkdtempSync(join(tmpdir(), 'concierge-vsock-'));
    const device = join(directory, 'device');
    const hosts = Object.entries(peers).flatMap(([name, cid]) => ['--host', `${join(directory, name)}=${cid}`]);
    const backEnd = kernelHasVhostVsock ? [] : ['--device', device];
    const host = spawn('python3', [program, '--guest-cid', String(GUEST_CID), ...backEnd, ...hosts], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await Promise.race([once(host.stdout, 'data'), once(host, 'exit').then(() => ['nothing'])])) as [Buffer | string];
    if (!String(said).startsWith('ready')) {
      host.kill();
      throw new Error(`${program} does not start: it says ${String(said)}`);
    }
    return new VsockHost(directory, kernelHasVhostVsock ? kernelDevice : vhostUserDevice(device), host);
  }

  socket(peer: string): string {
    return join(this.directory, peer);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill();
      await once(this.#process, 'exit');
    }
    rmSync(this.directory, { recursive: true });
  }
}

const kernelDevice: readonly string[] = ['-device', `vhost-vsock-pci,guest-cid=${GUEST_CID}`];

/** The back end maps the guest's memory. */
const vhostUserDevice = (socket: string): readonly string[] => [
  '-object',
  `memory-backend-memfd,id=memory,size=${MEMORY}M,share=on`,
  '-machine',
  'memory-backend=memory',
  '-chardev',
  `socket,id=vsock,path=${socket}`,
  '-device',
  'vhost-user-vsock-pci,chardev=vsock',
];

// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf, withContext } from '../../../core/errors/agent-error.ts';
import type { Connection, Transport } from '../../../core/ports/transport.ts';
import { COMMTIMEOUTS, kernel32 } from '../bindings/kernel32.ts';
import { openDevice } from '../device-control.ts';
import type { Pointer } from '../koffi.ts';
import { structure } from '../layout.ts';
import { lastWindowsError } from '../system-error.ts';
import { DeviceConnection } from './device-connection.ts';
import { watchDevice, type DeviceWatch, type SerialMethod } from './device-notification.ts';
import { OverlappedDevice } from './overlapped-device.ts';
import { portLeaves } from './port-arrival.ts';
import { watchResume } from './resume-notification.ts';

const GENERIC_READ_WRITE = 0xc000_0000;
const FILE_FLAG_OVERLAPPED = 0x4000_0000;

const hints: Readonly<Record<string, string>> = {
  ERROR_FILE_NOT_FOUND: 'this machine has no such port: add one on the host and install the VirtIO serial driver, or use --retry-path to wait for it',
  ERROR_PATH_NOT_FOUND: 'this machine has no such port: add one on the host and install the VirtIO serial driver, or use --retry-path to wait for it',
  ERROR_ACCESS_DENIED: 'another program has it open, such as the service QEMU-GA (stop it: sc stop QEMU-GA) or an earlier agent that has not ended because the host takes nothing from it, or the agent is not elevated',
};

/** A serial device: the port of virtio-serial, or a COM port. It is open for as long as the agent serves. */
export class WindowsTransport implements Transport {
  readonly description: string;
  readonly lost: Promise<Error>;
  readonly #method: SerialMethod;
  readonly #path: string;
  readonly #setLost: (error: Error) => void;
  #connection: DeviceConnection | undefined;
  #watch: DeviceWatch | undefined;
  #resumed: DeviceWatch | undefined;

  constructor(method: SerialMethod, path: string) {
    this.#method = method;
    this.#path = method === 'isa-serial' && !path.startsWith('\\\\') ? `\\\\.\\${path}` : path;
    this.description = `${method} ${this.#path}`;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.lost = promise;
    this.#setLost = resolve;
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    const handle = await this.#openDevice();
    if (this.#method === 'isa-serial') setTimeouts(handle, this.#path);
    const connection = new DeviceConnection(new OverlappedDevice(handle), this.#method === 'virtio-serial', (error) => {
      this.#stopWatching();
      this.#setLost(withContext(`error reading channel '${this.#path}'`, error));
    });
    this.#connection = connection;
    // Before the first read: what happens between the two must be heard.
    const removed = (): void => {
      portLeaves(this.#method);
      connection.deviceGoes();
    };
    this.#watch = watchDevice(handle, { removed, hostChanged: () => connection.hostMayHaveChanged() });
    this.#resumed = watchResume(() => connection.machineResumed());
    connected(connection);
  }

  /** Answers an open handle, which is this program's alone. */
  async #openDevice(): Promise<Pointer> {
    try {
      return await openDevice(this.#path, { access: GENERIC_READ_WRITE, share: 0, flags: FILE_FLAG_OVERLAPPED });
    } catch (error) {
      const hint = AgentError.is(error) ? hints[error.os?.code ?? ''] : undefined;
      throw AgentError.failed(`error opening channel '${this.#path}': ${messageOf(error)}${hint === undefined ? '' : ` (${hint})`}`, error);
    }
  }

  #stopWatching(): void {
    this.#watch?.close();
    this.#resumed?.close();
  }

  close(): Promise<void> {
    this.#stopWatching();
    this.#connection?.destroy();
    return Promise.resolve();
  }
}

/** Reading waits for the first byte as long as it takes, and for the next one a millisecond. */
function setTimeouts(handle: Pointer, path: string): void {
  if (kernel32.SetCommTimeouts(handle, structure(COMMTIMEOUTS, { ReadIntervalTimeout: 1 })) !== 0) return;
  const failure = withContext(`error opening channel '${path}'`, lastWindowsError('SetCommTimeouts'));
  kernel32.CloseHandle(handle);
  throw failure;
}

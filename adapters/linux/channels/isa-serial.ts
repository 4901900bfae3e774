// SPDX-License-Identifier: Apache-2.0
import { closeSync } from 'node:fs';
import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../../core/errors/posix-errno.ts';
import type { ChannelOptions, Connection, ConnectionSink, KeptOfChannel, Log, Transport } from '../../../core/ports/index.ts';
import { BackOff } from '../../channels/back-off.ts';
import { channelAddon } from './channel-binding.ts';
import { ChannelConnection } from './channel-connection.ts';
import { deviceHints, openDevice } from './open-device.ts';

/** As which the line outlives the agent. */
const keptName = 'line';

const hints = {
  ...deviceHints,
  ENOENT: 'this machine has no such serial port: add one on the host; with --retry-path the agent waits for it',
  EIO: 'no serial port is behind the device: see which of /dev/ttyS* the host has given this machine',
};

/** Failures after which no opening will help: the device is gone. */
const gone = new Set(['ENOENT', 'ENODEV', 'ENXIO']);

/**
 * A serial line. It doesn't tell whether a host is there. After a hang-up it is opened again, and what comes then is a
 * new connection (qemu-ga 11.1 stays deaf).
 */
export class IsaSerial implements Transport {
  readonly description: string;
  readonly lost: Promise<Error>;
  readonly #path: string;
  readonly #log: Log;
  readonly #kept: KeptOfChannel | undefined;
  readonly #backOff = new BackOff();
  #setLost: (error: Error) => void = () => {};
  #connection: ChannelConnection | undefined;
  #reopening: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(path: string, { log, kept }: Pick<ChannelOptions, 'log' | 'kept'>) {
    this.description = `isa-serial ${path}`;
    this.#path = path;
    this.#log = log;
    this.#kept = kept;
    this.lost = new Promise((resolve) => {
      this.#setLost = resolve;
    });
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    this.#connect(connected, this.#kept?.take(keptName, this.#path));
  }

  canHandOver(): boolean {
    return this.#connection?.isIdle === true;
  }

  handOver(): boolean {
    if (!this.canHandOver()) return false;
    this.#connection?.letGo();
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reopening);
    this.#connection?.destroy();
  }

  /** `left`: what an earlier agent had opened, raw already; what has come on it is not to be dropped. */
  #connect(connected: (connection: Connection) => void, left?: number): void {
    const fd = left ?? openRaw(this.#path);
    if (left === undefined) this.#kept?.keep(keptName, 'stream', this.#path, fd);
    const connection = new ChannelConnection(fd, 'stream', {
      keptAs: keptName,
      ended: (errno) => {
        void this.#kept?.drop(keptName);
        this.#hungUp(errno, connected);
      },
      released: () => {
        if (this.#connection === connection) this.#connection = undefined;
      },
    });
    this.#connection = connection;
    connected(heard(connection, () => this.#backOff.reset()));
  }

  #hungUp(errno: number, connected: (connection: Connection) => void): void {
    const reason = errno === 0 ? 'hung up' : posixErrorOf(errno).message;
    this.#log.warning(`${this.description}: ${reason}; opening it again`);
    this.#reopenLater(connected);
  }

  #reopenLater(connected: (connection: Connection) => void): void {
    this.#reopening = setTimeout(() => this.#reopen(connected), this.#backOff.next());
  }

  #reopen(connected: (connection: Connection) => void): void {
    if (this.#closed) return;
    try {
      this.#connect(connected);
    } catch (error) {
      if (gone.has(osCode(error) ?? '')) this.#setLost(error as Error);
      else this.#reopenLater(connected);
    }
  }
}

function openRaw(path: string): number {
  const fd = openDevice(path, hints);
  try {
    channelAddon().makeRaw(fd);
    return fd;
  } catch (error) {
    closeSync(fd);
    if (osCode(error) === 'ENOTTY') throw AgentError.failed(`error opening channel '${path}': it is no serial port`);
    throw withContext(`error opening channel '${path}'`, error);
  }
}

/** The connection, with a word at each chunk from the host: a line that lives may be opened again at once. */
function heard(connection: Connection, listener: () => void): Connection {
  return {
    keptAs: connection.keptAs,
    start: (sink: ConnectionSink) =>
      connection.start({
        data: (chunk) => {
          listener();
          sink.data(chunk);
        },
        drained: () => sink.drained(),
        hostChanged: () => sink.hostChanged(),
        closed: () => sink.closed(),
      }),
    write: (bytes) => connection.write(bytes),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: () => connection.close(),
  };
}

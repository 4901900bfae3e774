// SPDX-License-Identifier: Apache-2.0
import { setTimeout as wait } from 'node:timers/promises';
import { AgentError, messageOf, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../../core/errors/posix-errno.ts';
import type { ChannelOptions, Connection, KeptOfChannel, Log, Transport } from '../../../core/ports/index.ts';
import { boundUnit, restartAround } from './bound-unit.ts';
import { ChannelConnection } from './channel-connection.ts';
import { deviceHints, openDevice } from './open-device.ts';
import { PortDevice } from './port-device.ts';

/** A port whose device was reset is there again within milliseconds; so long a busy machine may take for it. */
const REAPPEARS = { attempts: 300, restMs: 100 };

/** As which the port outlives the agent. */
const keptName = 'port';

const hints = {
  ...deviceHints,
  ENOENT: 'this machine has no such virtio-serial port: add one on the host; with --retry-path the agent waits for it',
};

/**
 * A virtio-serial port. It has one connection for as long as it is plugged in: hosts that come and go are told apart by
 * `hostChanged`. Holding it open is what tells the host that an agent is there.
 */
export class VirtioSerial implements Transport {
  readonly description: string;
  readonly lost: Promise<Error>;
  readonly #path: string;
  readonly #log: Log;
  readonly #kept: KeptOfChannel | undefined;
  #setLost: (error: Error) => void = () => {};
  #connection: ChannelConnection | undefined;
  #isReviving = false;

  constructor(path: string, { log, kept }: Pick<ChannelOptions, 'log' | 'kept'>) {
    this.description = `virtio-serial ${path}`;
    this.#path = path;
    this.#log = log;
    this.#kept = kept;
    this.lost = new Promise((resolve) => {
      this.#setLost = resolve;
    });
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    const left = this.#kept?.take(keptName, this.#path);
    const fd = left ?? openDevice(this.#path, hints);
    if (left === undefined) this.#kept?.keep(keptName, 'port', this.#path, fd);
    this.#connection = this.#channelOn(fd, left === undefined ? undefined : this.#kept?.input(keptName));
    connected(this.#connection);
  }

  #channelOn(fd: number, first: Uint8Array | undefined): ChannelConnection {
    try {
      const owner = {
        keptAs: keptName,
        // ENODEV: unplugged.
        ended: (errno: number) => {
          void this.#kept?.drop(keptName);
          this.#setLost(withContext(`error reading channel '${this.#path}'`, posixErrorOf(errno, { path: this.#path })));
        },
        stuck: () => void this.#revive(connection),
        released: () => {
          this.#connection = undefined;
        },
      };
      const connection: ChannelConnection = new ChannelConnection(fd, 'port', owner, first);
      return connection;
    } catch (error) {
      // What epoll(7) can't watch, such as /dev/null.
      if (osCode(error) === 'EPERM') throw AgentError.failed(`error opening channel '${this.#path}': it is no virtio-serial port`, error);
      throw withContext(`error opening channel '${this.#path}'`, error);
    }
  }

  /** A port that QEMU takes nothing from any more is deaf to every host to come: a reset of its device makes it as new. */
  async #revive(connection: ChannelConnection): Promise<void> {
    if (this.#isReviving) return;
    this.#isReviving = true;
    const stuck = `QEMU takes nothing from '${this.#path}' any more (hosts have left in the middle of an answer too often)`;
    try {
      const unit = await boundUnit();
      // Closed or unplugged meanwhile.
      if (this.#connection !== connection) return;
      const device = PortDevice.of(this.#path);
      const reason = device.inUse();
      if (reason !== undefined) {
        this.#log.error(`${stuck}; its device would have to be reset, but ${reason}: stop that and restart the agent, or restart the machine`);
        return;
      }
      this.#log.warning(`${stuck}; its device is reset`);
      if (unit === undefined) await this.#reset(device, connection);
      else await restartAround(unit, device.names);
    } catch (error) {
      this.#log.error(`${stuck}; its device would have to be reset, but that failed: ${messageOf(error)}`);
    } finally {
      this.#isReviving = false;
    }
  }

  /** The host that waits for an answer gets it. */
  async #reset(device: PortDevice, connection: ChannelConnection): Promise<void> {
    connection.detach();
    try {
      // The device is not to be held by anybody.
      await this.#kept?.drop(keptName);
      device.reset();
      const fd = await this.#opened();
      this.#kept?.keep(keptName, 'port', this.#path, fd);
      connection.attach(fd);
    } catch (error) {
      connection.destroy();
      this.#setLost(withContext(`'${this.#path}' was reset and has not come back`, error));
    }
  }

  /** The port appears when QEMU has told the driver of it, and its link when udev has made it. */
  async #opened(): Promise<number> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return openDevice(this.#path, hints);
      } catch (error) {
        if (attempt === REAPPEARS.attempts) throw error;
        await wait(REAPPEARS.restMs);
      }
    }
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
    this.#connection?.destroy();
  }
}

import { AgentError, osCode, withContext } from '../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../core/errors/posix-errno.ts';
import type { Connection, Transport } from '../../core/ports/index.ts';
import { ChannelConnection } from './channel-connection.ts';
import { deviceHints, openDevice } from './open-device.ts';

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
  #setLost: (error: Error) => void = () => {};
  #connection: ChannelConnection | undefined;

  constructor(path: string) {
    this.description = `virtio-serial ${path}`;
    this.#path = path;
    this.lost = new Promise((resolve) => {
      this.#setLost = resolve;
    });
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    this.#connection = this.#channelOn(openDevice(this.#path, hints));
    connected(this.#connection);
  }

  #channelOn(fd: number): ChannelConnection {
    try {
      return new ChannelConnection(fd, 'port', {
        // ENODEV: unplugged.
        ended: (errno) => this.#setLost(withContext(`error reading channel '${this.#path}'`, posixErrorOf(errno, { path: this.#path }))),
        released: () => {
          this.#connection = undefined;
        },
      });
    } catch (error) {
      // What epoll(7) can't watch, such as /dev/null.
      if (osCode(error) === 'EPERM') throw AgentError.failed(`error opening channel '${this.#path}': it is no virtio-serial port`, error);
      throw withContext(`error opening channel '${this.#path}'`, error);
    }
  }

  async close(): Promise<void> {
    this.#connection?.destroy();
  }
}

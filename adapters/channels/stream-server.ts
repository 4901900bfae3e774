// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { unlinkSync, type BigIntStats } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { AgentError, messageOf } from '../../core/errors/agent-error.ts';
import { isPosixCode, posixError } from '../../core/errors/posix-errno.ts';
import type { Connection, Log, Transport } from '../../core/ports/index.ts';
import { fileStatus, isSameFile } from './file-identity.ts';
import { streamConnection } from './stream-connection.ts';

/** Clients that are served at once, as on the sockets of Linux; those beyond are turned away, for Node has no queue to leave them in. */
export const mostClients = 64;
/** Whoever may talk to the agent is root in the guest. */
const privateMask = 0o177;

/** A Unix socket of Node's own, for systems without an addon. Unlike the one of Linux it does not know who its clients are. */
export class StreamServer implements Transport {
  readonly description: string;
  readonly lost: Promise<Error>;
  readonly #path: string;
  readonly #log: Log;
  readonly #clients = new Set<Socket>();
  #setLost: (error: Error) => void = () => {};
  #server: Server | undefined;
  #bound: BigIntStats | undefined;

  constructor(path: string, { log }: { readonly log: Log }) {
    this.description = `unix-listen ${path}`;
    // The agent may have changed its directory by the time it removes it.
    this.#path = resolve(path);
    this.#log = log;
    this.lost = new Promise((settle) => {
      this.#setLost = settle;
    });
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    await removeStale(this.#path);
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket, connected));
    server.maxConnections = mostClients;
    server.on('drop', () => this.#log.warning(`${this.description}: a client is turned away: ${mostClients} are connected, which is the limit`));
    try {
      await this.#listen(server);
    } catch (error) {
      throw failedTo('bind socket to', this.#path, error);
    }
    server.on('error', (error) => this.#setLost(error));
    this.#server = server;
    this.#bound = fileStatus(this.#path);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const client of this.#clients) client.destroy();
    // Node removes the file by its name. Where it is somebody else's by now, nobody can come to this server any more either.
    if (this.#bound === undefined || !isSameFile(this.#bound, fileStatus(this.#path))) {
      server.unref();
      return;
    }
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  /** The socket file is private from its first moment. */
  async #listen(server: Server): Promise<void> {
    const before = process.umask(privateMask);
    try {
      // bind(2) is called before `listen` returns.
      server.listen(this.#path);
    } finally {
      process.umask(before);
    }
    await once(server, 'listening');
  }

  #accept(socket: Socket, connected: (connection: Connection) => void): void {
    this.#clients.add(socket);
    this.#log.debug(() => `${this.description}: a client is here`);
    socket.once('close', () => {
      this.#clients.delete(socket);
      this.#log.debug(() => `${this.description}: a client has gone`);
    });
    connected(streamConnection(socket));
  }
}

/** Removes a socket that nobody listens on. @throws failed error when there is anything else */
async function removeStale(path: string): Promise<void> {
  const found = fileStatus(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw AgentError.failed(`Failed to bind socket to ${path}: there is something that is no socket; remove it or choose another path`);
  }
  if (await answers(path)) throw AgentError.failed(`Failed to bind socket to ${path}: a process is answering there; stop it or choose another path`);
  // Another agent may have replaced it meanwhile.
  if (isSameFile(found, fileStatus(path))) unlinkSync(path);
}

async function answers(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return false;
    throw failedTo('bind socket to', path, error);
  } finally {
    probe.destroy();
  }
}

function failedTo(what: string, path: string, error: unknown): AgentError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const failure = isPosixCode(code) ? posixError(code, { path }) : error;
  return AgentError.failed(`Failed to ${what} ${path}: ${messageOf(failure)}`, error);
}

// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, openSync } from 'node:fs';
import { posixErrorOf } from '../../../core/errors/posix-errno.ts';
import type { ChannelOptions, Connection, KeptOfChannel, Log, Peer, Transport } from '../../../core/ports/index.ts';
import { channelAddon, type NativeListener } from './channel-binding.ts';
import { ChannelConnection } from './channel-connection.ts';

/** Clients that are served at once; more wait in the socket's queue. */
export const MAXIMUM_CLIENTS = 64;
/** Clients that wait; still more are refused by the kernel. */
export const BACKLOG = 128;
/** How long accepting rests when the process is out of descriptors and no client leaves, in milliseconds. */
const EXHAUSTION_REST = 1000;

/** As which the socket and its clients outlive the agent. */
const listenerName = 'listener';
const clientPrefix = 'client-';
const fileName = 'listener-file';
/** They come again: what is kept has a name of 47 letters at most, that of its channel among them (kLongestName of the keeper). */
const highestNumber = 999_999;

/** Of open(2): opens a file, a socket also, without what it is for. The same on every processor that Node runs on. */
const O_PATH = 0o10000000;

/** A socket that clients come to. */
export interface ListeningSocket {
  readonly description: string;
  /** Where `listen` puts it, if it has a place that `remove` takes away. */
  readonly file?: string;
  /** Whether those who come are gone when the guest is restored. */
  readonly endsWithGeneration?: boolean;
  /** A descriptor that listens. @throws failed error */
  listen(): number;
  /** In place of `listen`, where an earlier agent has left what it had opened. */
  adopted?(): void;
  /** Undoes what `listen` left behind, after the descriptor is closed. */
  remove?(): void;
  /** Why this client is not served, or `undefined` where it is. Process and user id, or CID and port. */
  refuses?(peer: number, detail: number): string | undefined;
  /** The client, for the log. */
  name(peer: number, detail: number): string;
  /** The same, for the audit. */
  peer(peer: number, detail: number): Peer;
}

export interface SocketTransportOptions extends Pick<ChannelOptions, 'log' | 'kept'> {
  readonly maximumClients?: number;
}

/** Serves many clients at once, each on a connection of its own. */
export class SocketTransport implements Transport {
  readonly description: string;
  /** A listening socket is never lost. */
  readonly lost = new Promise<Error>(() => {});
  readonly #socket: ListeningSocket;
  readonly #log: Log;
  readonly #maximum: number;
  readonly #kept: KeptOfChannel | undefined;
  readonly #clients = new Set<ChannelConnection>();
  /** As which those are kept. */
  readonly #names = new Set<string>();
  /** Of the last client. */
  #number = 0;
  #listener: NativeListener | undefined;
  #resting = false;
  #exhaustion: NodeJS.Timeout | undefined;

  constructor(socket: ListeningSocket, { log, kept, maximumClients = MAXIMUM_CLIENTS }: SocketTransportOptions) {
    this.description = socket.description;
    this.#socket = socket;
    this.#log = log;
    this.#kept = kept;
    this.#maximum = maximumClients;
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    const fd = this.#adoptListener() ?? this.#listen();
    this.#listener = new (channelAddon().Listener)(fd, (client, peer, detail) => {
      if (client < 0) this.#exhausted(client);
      else this.#accept(client, peer, detail, connected);
    });
    this.#adoptClients(connected);
  }

  #adoptListener(): number | undefined {
    const left = this.#kept?.take(listenerName, this.description);
    if (left === undefined) return undefined;
    this.#socket.adopted?.();
    const file = this.#kept?.take(fileName, '');
    if (file !== undefined) closeSync(file);
    return left;
  }

  #listen(): number {
    const fd = this.#socket.listen();
    this.#kept?.keep(listenerName, 'listener', this.description, fd);
    const { file } = this.#socket;
    if (this.#kept === undefined || file === undefined) return fd;
    // The keeper takes it away where no agent is there to do so at the end.
    const held = openSync(file, O_PATH | constants.O_NOFOLLOW);
    this.#kept.keep(fileName, 'file', '', held);
    closeSync(held);
    return fd;
  }

  /** All of them, or none: a client that waits for the rest of its answer keeps the agent. */
  canHandOver(): boolean {
    return this.#listener !== undefined && [...this.#clients].every(({ isIdle }) => isIdle);
  }

  handOver(): boolean {
    if (this.#listener === undefined || !this.canHandOver()) return false;
    this.#stopListening(this.#listener);
    for (const client of this.#clients) client.letGo();
    return true;
  }

  async close(): Promise<void> {
    if (this.#listener === undefined) return;
    this.#stopListening(this.#listener);
    // Who comes to the socket from now on is for the next agent, unless there is none.
    if (this.#kept === undefined || this.#kept.isEnding) this.#socket.remove?.();
    for (const client of this.#clients) client.destroy();
  }

  #stopListening(listener: NativeListener): void {
    clearTimeout(this.#exhaustion);
    listener.close();
    this.#listener = undefined;
  }

  /** Those of an earlier agent; who they are is in the note. */
  #adoptClients(connected: (connection: Connection) => void): void {
    for (const { name, note, fd } of this.#kept?.takeAll(clientPrefix) ?? []) {
      const [peer = 0, detail = 0] = note.split(',').map(Number);
      this.#number = Math.max(this.#number, Number(name.slice(clientPrefix.length)));
      if (this.#isRefused(fd, peer, detail)) void this.#kept?.drop(name);
      else this.#serve(fd, name, [peer, detail], connected);
    }
  }

  #accept(fd: number, peer: number, detail: number, connected: (connection: Connection) => void): void {
    if (this.#isRefused(fd, peer, detail)) return;
    do this.#number = (this.#number % highestNumber) + 1;
    while (this.#names.has(`${clientPrefix}${this.#number}`));
    const kept = `${clientPrefix}${this.#number}`;
    this.#kept?.keep(kept, 'stream', `${peer},${detail}`, fd);
    this.#serve(fd, kept, [peer, detail], connected);
  }

  /** Who may come can be told otherwise while an agent sleeps. */
  #isRefused(fd: number, peer: number, detail: number): boolean {
    const refusal = this.#socket.refuses?.(peer, detail);
    if (refusal === undefined) return false;
    closeSync(fd);
    this.#log.warning(`${this.description}: ${this.#socket.name(peer, detail)} is refused: ${refusal}`);
    return true;
  }

  #serve(fd: number, kept: string, who: readonly [peer: number, detail: number], connected: (connection: Connection) => void): void {
    const name = this.#socket.name(...who);
    const client: ChannelConnection = new ChannelConnection(fd, 'stream', {
      peer: this.#socket.peer(...who),
      endsWithGeneration: this.#socket.endsWithGeneration === true,
      keptAs: kept,
      released: () => {
        this.#clients.delete(client);
        this.#names.delete(kept);
        void this.#kept?.drop(kept);
        this.#log.debug(() => `${this.description}: ${name} has gone`);
        this.#goOn();
      },
    });
    this.#clients.add(client);
    this.#names.add(kept);
    this.#log.debug(() => `${this.description}: ${name} is here`);
    if (this.#clients.size >= this.#maximum) {
      this.#log.warning(`${this.description}: ${this.#clients.size} clients are connected, which is the limit; more wait until one leaves`);
      this.#rest();
    }
    connected(client);
  }

  /** EMFILE and the like: the client is still in the queue, and trying again at once would spin. */
  #exhausted(errno: number): void {
    this.#log.warning(`${this.description}: a client cannot be accepted: ${posixErrorOf(errno).message}`);
    this.#rest();
    this.#exhaustion = setTimeout(() => this.#goOn(), EXHAUSTION_REST);
  }

  #rest(): void {
    this.#resting = true;
    this.#listener?.pause();
  }

  #goOn(): void {
    if (!this.#resting || this.#clients.size >= this.#maximum) return;
    clearTimeout(this.#exhaustion);
    this.#resting = false;
    this.#listener?.resume();
  }
}

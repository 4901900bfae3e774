// SPDX-License-Identifier: Apache-2.0
import type { Connection, ConnectionSink, Peer } from '../../../../core/ports/transport.ts';
import { events, ws2_32 } from '../../bindings/ws2_32.ts';
import type { Pointer } from '../../koffi.ts';
import { EventSocket, unlessBlocked } from './event-socket.ts';

/** More than this waiting to be sent: the session is asked to stop. */
const highWater = 1024 * 1024;
const pieceSize = 64 * 1024;
/** After so many pieces others come first. */
const piecesInTurn = 16;

/** One host on a socket of Winsock. */
export class SocketConnection implements Connection {
  readonly peer: Peer;
  readonly #socket: EventSocket;
  readonly #released: () => void;
  readonly #inbox = Buffer.allocUnsafeSlow(pieceSize);
  #sink: ConnectionSink | undefined;
  #queue: Uint8Array[] = [];
  #waiting = 0;
  #full = false;
  #paused = false;
  #reading = false;
  #closing = false;
  #closed = false;

  /** Takes over the socket. @param released the last call, once */
  constructor(socket: Pointer, peer: Peer, released: () => void) {
    this.peer = peer;
    this.#socket = new EventSocket(socket, events.read | events.write | events.close);
    this.#released = released;
  }

  start(sink: ConnectionSink): void {
    this.#sink = sink;
    void this.#watch();
    void this.#readOn();
  }

  write(bytes: Uint8Array | string): boolean {
    if (this.#closing) return true;
    // The caller may use its array again. A string has one byte in each character: the sentinel is U+00FF.
    const copy = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Uint8Array.from(bytes);
    this.#queue.push(copy);
    this.#waiting += copy.length;
    if (this.#queue.length === 1) this.#writeOn();
    this.#full = this.#waiting > highWater;
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.#readOn();
  }

  /** What was written is still sent, as long as the host takes it. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#waiting === 0) this.destroy();
  }

  /** Closes at once, whatever waits. */
  destroy(): void {
    this.#closing = true;
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.#socket.close();
    this.#sink?.closed();
    this.#released();
  }

  async #watch(): Promise<void> {
    try {
      for (let told = await this.#socket.next(); told !== 0 || !this.#closed; told = await this.#socket.next()) {
        // After a reset nothing tells that there is room: a send that fails lets go of what waits, and of a session that waits for it.
        if ((told & (events.write | events.close)) !== 0) this.#writeOn();
        // After the end of the stream there may be more to read, and its end is read too.
        if ((told & (events.read | events.close)) !== 0) await this.#readOn();
      }
    } catch {
      // A socket without events is one without a host.
      this.destroy();
    }
  }

  /** Reads what is there. Winsock tells of more only after a read that found nothing. */
  async #readOn(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      for (let count = 1; !this.#paused && !this.#closed; count += 1) {
        const length = unlessBlocked(ws2_32.recv(this.#socket.socket, this.#inbox, pieceSize, 0), 'recv');
        if (length === undefined) return;
        if (length === 0) return this.destroy();
        this.#sink?.data(this.#inbox.subarray(0, length));
        if (count % piecesInTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch {
      // The host has gone without a word.
      this.destroy();
    } finally {
      this.#reading = false;
    }
  }

  #writeOn(): void {
    try {
      for (let piece = this.#queue[0]; piece !== undefined; piece = this.#queue[0]) {
        const sent = unlessBlocked(ws2_32.send(this.#socket.socket, piece, piece.length, 0), 'send');
        if (sent === undefined) break;
        this.#waiting -= sent;
        if (sent === piece.length) this.#queue.shift();
        else this.#queue[0] = piece.subarray(sent);
      }
    } catch {
      // Nobody takes it: what the host still says is read until its end.
      this.#queue = [];
      this.#waiting = 0;
    }
    if (this.#closing && this.#waiting === 0) return this.destroy();
    if (!this.#full || this.#waiting > highWater / 2) return;
    this.#full = false;
    this.#sink?.drained();
  }
}

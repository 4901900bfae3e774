// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';

import { ClientError } from '../client-error.ts';
import { libvirtError } from './libvirt-error.ts';
import { PacketBuffer } from './packet-buffer.ts';
import { HEAD_BYTES, keepAliveProcedure, messageStatus, messageType, program, VERSION } from './protocol.ts';
import { garbage, XdrReader } from './xdr.ts';

/** Milliseconds without a byte, while answers are awaited, after which the daemon is asked whether it is there; and how often in vain. */
const ASK_EVERY = 5_000;
const ASK_TIMES = 6;
/** Answers that nobody waits for any more and that have not come. */
const MOST_GIVEN_UP = 64;

interface Head {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
}

interface Waiting {
  readonly procedure: number;
  readonly resolve: (payload: XdrReader) => void;
  readonly reject: (error: ClientError) => void;
}

/**
 * Calls over one connection with a libvirt daemon. Many may be under way; each has a serial number by which its answer is known. What does
 * not follow the protocol ends the connection: from then on nobody knows where a packet begins.
 */
export class Rpc {
  readonly #stream: Duplex;
  readonly #waiting = new Map<string, Waiting>();
  /** Called, but given up. */
  readonly #givenUp = new Set<string>();
  readonly #onEvent: (procedure: number, payload: XdrReader) => void;
  readonly #received = new PacketBuffer();
  #serial = 0;
  #ended: ClientError | undefined;
  #watch: NodeJS.Timeout | undefined;
  #asked = 0;
  /** An answer to a ping waits to be sent: one is enough, however often a daemon asks that does not listen. */
  #isAnswering = false;

  /** @param describe why the stream ended, where the way (ssh) has something to say */
  constructor(stream: Duplex, handlers: { onEvent: (procedure: number, payload: XdrReader) => void; describe?: () => string }) {
    this.#stream = stream;
    this.#onEvent = handlers.onEvent;
    const said = (): string => {
      const more = handlers.describe?.() ?? '';
      return more === '' ? '' : `: ${more}`;
    };
    stream.on('data', (chunk: Buffer) => this.#data(chunk));
    stream.on('error', (error: Error) => this.#end(new ClientError('closed', `the connection with the libvirt daemon broke: ${error.message}${said()}`, { cause: error })));
    stream.on('close', () => this.#end(new ClientError('closed', `the libvirt daemon closed the connection${said()}`)));
    stream.on('end', () => this.#end(new ClientError('closed', `the libvirt daemon closed the connection${said()}`)));
  }

  get ended(): ClientError | undefined {
    return this.#ended;
  }

  /**
   * Calls a procedure, and answers what it returned.
   *
   * @throws ClientError: that of the daemon, what ended the connection, or the reason of the signal where that is one
   */
  call(of: number, procedure: number, payload: Uint8Array, signal?: AbortSignal): Promise<XdrReader> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      if (signal?.aborted === true) return reject(reasonOf(signal));
      if (this.#givenUp.size >= MOST_GIVEN_UP) return reject(new ClientError('timeout', `the libvirt daemon owes ${MOST_GIVEN_UP} answers that nobody waits for any more`));
      this.#serial = (this.#serial + 1) >>> 0;
      const key = `${of}/${this.#serial}`;
      const settle = (): void => {
        signal?.removeEventListener('abort', giveUp);
        this.#waiting.delete(key);
        this.#watchOver();
      };
      const giveUp = (): void => {
        settle();
        this.#givenUp.add(key);
        reject(reasonOf(signal));
      };
      this.#waiting.set(key, {
        procedure,
        resolve: (reader) => {
          settle();
          resolve(reader);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#send({ program: of, procedure, type: messageType.call, serial: this.#serial, status: messageStatus.ok }, payload);
      this.#watchOver();
      return undefined;
    });
  }

  close(): void {
    this.#end(new ClientError('closed', 'the connection with the libvirt daemon was closed'));
  }

  #send(head: Head, payload: Uint8Array, sent?: () => void): void {
    const packet = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
    for (const [index, word] of [packet.length, head.program, VERSION, head.procedure, head.type, head.serial, head.status].entries()) packet.writeUInt32BE(word, index * 4);
    packet.set(payload, HEAD_BYTES);
    this.#stream.write(packet, sent);
  }

  #data(chunk: Buffer): void {
    this.#asked = 0;
    this.#watch?.refresh();
    try {
      this.#received.push(chunk);
      for (let packet = this.#received.next(); packet !== undefined && this.#ended === undefined; packet = this.#received.next()) this.#packet(packet);
    } catch (error) {
      this.#end(ClientError.is(error) ? error : garbage(String(error)));
    }
  }

  #packet(packet: Buffer): void {
    const head: Head = { program: packet.readUInt32BE(4), procedure: packet.readInt32BE(12), type: packet.readInt32BE(16), serial: packet.readUInt32BE(20), status: packet.readInt32BE(24) };
    const payload = new XdrReader(packet.subarray(HEAD_BYTES));
    if (head.program === program.keepAlive) {
      if (head.procedure === keepAliveProcedure.ping) this.#pong(head);
      return;
    }
    if (head.type === messageType.message) return this.#onEvent(head.procedure, payload);
    if (head.type !== messageType.reply) throw garbage(`a packet of type ${head.type}`);
    const key = `${head.program}/${head.serial}`;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      if (!this.#givenUp.delete(key)) throw garbage(`an answer to call ${head.serial}, which is none`);
      return undefined;
    }
    if (waiting.procedure !== head.procedure) throw garbage(`an answer of procedure ${head.procedure} to a call of ${waiting.procedure}`);
    if (head.status === messageStatus.ok) waiting.resolve(payload);
    else if (head.status === messageStatus.error) waiting.reject(libvirtError(payload));
    else throw garbage(`an answer of status ${head.status}`);
    return undefined;
  }

  #pong(ping: Head): void {
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    this.#send({ ...ping, procedure: keepAliveProcedure.pong }, Buffer.alloc(0), () => {
      this.#isAnswering = false;
    });
  }

  /** A daemon that is stuck, or a network that is gone, sends nothing at all: somebody must ask. */
  #watchOver(): void {
    if (this.#waiting.size === 0 || this.#ended !== undefined) {
      clearInterval(this.#watch);
      this.#watch = undefined;
      return;
    }
    if (this.#watch !== undefined) return;
    this.#asked = 0;
    this.#watch = setInterval(() => {
      this.#asked += 1;
      if (this.#asked > ASK_TIMES) this.#end(new ClientError('closed', `the libvirt daemon has said nothing for ${(ASK_EVERY * ASK_TIMES) / 1000} s`));
      else this.#send({ program: program.keepAlive, procedure: keepAliveProcedure.ping, type: messageType.message, serial: 0, status: messageStatus.ok }, Buffer.alloc(0));
    }, ASK_EVERY);
  }

  #end(error: ClientError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#stream.destroy();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#watchOver();
  }
}

const reasonOf = (signal: AbortSignal | undefined): ClientError =>
  ClientError.is(signal?.reason) ? signal.reason : new ClientError('aborted', 'the call was given up', { cause: signal?.reason });

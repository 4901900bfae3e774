// SPDX-License-Identifier: Apache-2.0
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

const REMOTE = 0x2000_8086;
const QEMU = 0x2000_8087;
const KEEP = 0x6b65_6570;

export interface Call {
  readonly program: number;
  readonly procedure: number;
  readonly serial: number;
  readonly payload: Buffer;
}

export interface DoubleDomain {
  readonly name: string;
  readonly uuid: string;
  readonly id: number;
  /** What libvirt says of an agent command: the answer, or a number and a sentence. Nothing: it stays silent. */
  readonly agent?: (request: string, seconds: number) => string | readonly [code: number, message: string] | undefined;
}

export interface LibvirtDoubleOptions {
  readonly domains?: readonly DoubleDomain[];
  /** What `authList` answers; none without. */
  readonly authentication?: readonly number[];
  /** Answers a call in the double's place: bytes as they go out, '' for silence, undefined for its own answer. */
  readonly instead?: (call: Call, double: LibvirtDouble) => Buffer | '' | undefined;
}

const word = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value | 0, index * 4);
  return bytes;
};
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
export const text = (value: string): Buffer => Buffer.concat([word(Buffer.byteLength(value)), padded(Buffer.from(value))]);

export function packet({ program, procedure, serial }: Omit<Call, 'payload'>, type: number, status: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([word(28 + payload.length, program, 1, procedure, type, serial, status), payload]);
}
export const reply = (call: Call, payload?: Buffer): Buffer => packet(call, 1, 0, payload);
/** An error as libvirt 9.0 sends it: the sentence, and the parts that it is made of. */
export const failure = (call: Call, code: number, message: string): Buffer =>
  packet(call, 1, 1, Buffer.concat([word(code, 10, 1), text(message), word(2, 0, 0, 0, 0, -1, -1, 0)]));
const domainBytes = ({ name, uuid, id }: DoubleDomain): Buffer => Buffer.concat([text(name), Buffer.from(uuid.replaceAll('-', ''), 'hex'), word(id)]);

/** A libvirt daemon as far as the client sees one: an in-process server that says exactly what a test wants. */
export class LibvirtDouble {
  readonly path: string;
  readonly calls: Call[] = [];
  /** Packets that are no calls: of keep-alive. */
  readonly kept: Call[] = [];
  readonly #options: LibvirtDoubleOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(directory: string, options: LibvirtDoubleOptions = {}) {
    this.path = join(directory, 'libvirt-sock');
    this.#options = options;
  }

  get uri(): string {
    return `qemu:///system?socket=${this.path}`;
  }

  async start(): Promise<this> {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      let received = Buffer.alloc(0);
      socket.on('error', () => undefined).on('close', () => void this.#sockets.delete(socket));
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        while (received.length >= 4 && received.length >= received.readUInt32BE()) {
          const length = received.readUInt32BE();
          const call: Call = { program: received.readUInt32BE(4), procedure: received.readInt32BE(12), serial: received.readUInt32BE(20), payload: Buffer.from(received.subarray(28, length)) };
          received = received.subarray(length);
          if (call.program === KEEP) this.kept.push(call);
          else {
            this.calls.push(call);
            socket.write(this.#options.instead?.(call, this) ?? this.#answer(call));
          }
        }
      });
    });
    await new Promise<void>((resolve) => void this.#server?.listen(this.path, resolve));
    return this;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Says something to everybody who is connected. */
  say(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  sayEvent(number: number, { name }: { readonly name: string }, state: number): void {
    const domain = this.#options.domains?.find((one) => one.name === name) ?? { name, uuid: '0'.repeat(32), id: 1 };
    this.say(packet({ program: REMOTE, procedure: 348, serial: 1 }, 2, 0, Buffer.concat([word(number), domainBytes(domain), word(state, 2)])));
  }

  ping(): void {
    this.say(packet({ program: KEEP, procedure: 1, serial: 0 }, 2, 0));
  }

  /** As a daemon that is stopped. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => void (this.#server === undefined ? resolve() : this.#server.close(() => resolve())));
    this.#server = undefined;
  }

  #answer(call: Call): Buffer | string {
    const { domains = [], authentication = [0] } = this.#options;
    const found = (domain: DoubleDomain | undefined, what: string): Buffer =>
      domain === undefined ? failure(call, 42, `Domain not found: no domain with matching ${what}`) : reply(call, domainBytes(domain));
    if (call.program === QEMU) {
      const length = call.payload.readUInt32BE();
      const at = 4 + length + ((4 - (length % 4)) % 4) + 20;
      const name = call.payload.toString('utf8', 4, 4 + length);
      const requestLength = call.payload.readUInt32BE(at);
      const request = call.payload.toString('utf8', at + 4, at + 4 + requestLength);
      const seconds = call.payload.readInt32BE(at + 4 + requestLength + ((4 - (requestLength % 4)) % 4));
      const domain = domains.find((one) => one.name === name);
      if (domain === undefined) return failure(call, 42, 'Domain not found: no domain with matching uuid');
      const answer = domain.agent?.(request, seconds);
      if (answer === undefined) return '';
      return typeof answer === 'string' ? reply(call, Buffer.concat([word(1), text(answer)])) : failure(call, answer[0], answer[1]);
    }
    switch (call.procedure) {
      case 66:
        return reply(call, word(authentication.length, ...authentication));
      case 60:
        return reply(call, word(1));
      case 22:
        return found(domains.find(({ id }) => id === call.payload.readInt32BE()), `id ${call.payload.readInt32BE()}`);
      case 23: {
        const name = call.payload.toString('utf8', 4, 4 + call.payload.readUInt32BE());
        return found(domains.find((one) => one.name === name), `name '${name}'`);
      }
      case 24:
        return found(domains.find(({ uuid }) => uuid.replaceAll('-', '') === call.payload.toString('hex')), 'uuid');
      case 273:
        return reply(call, Buffer.concat([word(domains.length), ...domains.map(domainBytes), word(domains.length)]));
      case 316:
        return reply(call, word(7));
      default:
        return reply(call);
    }
  }
}

// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import type { Connection, ConnectionSink, Peer } from '../../../core/ports/index.ts';
import { channelAddon, channelEvent, type NativeChannel } from './channel-binding.ts';
import { RequestStart } from '../../channels/request-start.ts';

/** How much is read at once. */
export const INBOX_SIZE = 128 * 1024;

/**
 * Where the input of every connection lands: it is the sink's during the call only, and calls don't nest.
 * Pages that were never written cost nothing.
 */
let inbox: Buffer | undefined;

/** Who keeps the connections. */
export interface ConnectionOwner {
  /** Who is at the other end. */
  readonly peer?: Peer;
  /** Whether its other end is gone when the guest is restored. */
  readonly endsWithGeneration?: boolean;
  /** By which the next agent knows the connection again. */
  readonly keptAs?: string | undefined;
  /** No more input will come; `errno` says why, 0 at the end of the stream. Not called after `close`. */
  ended?(errno: number): void;
  /** A port takes nothing for a host that is there, and will not before its device is reset. Once. */
  stuck?(): void;
  /** The descriptor is closed, for whatever reason. The last call, once. */
  released(): void;
}

/** One host on one descriptor: the port's connection over the addon's channel. */
export class ChannelConnection implements Connection {
  readonly peer?: Peer;
  readonly #owner: ConnectionOwner;
  readonly #isPort: boolean;
  readonly #channel: NativeChannel;
  readonly #inbox: Buffer;
  readonly #start = new RequestStart();
  /** The view of the last chunk: requests of one length after another, such as pings, need no new one. */
  #view: Buffer;
  #first: Uint8Array | undefined;
  #sink: ConnectionSink | undefined;
  #closed = false;
  #released = false;

  /** Takes over `fd`. `port`: a virtio-serial port, whose end of file means that no host is there. `first`: what was read of it before. */
  constructor(fd: number, kind: 'stream' | 'port', owner: ConnectionOwner, first?: Uint8Array) {
    this.#owner = owner;
    if (owner.peer !== undefined) this.peer = owner.peer;
    this.#first = first;
    this.#isPort = kind === 'port';
    inbox ??= Buffer.allocUnsafeSlow(INBOX_SIZE);
    this.#inbox = inbox;
    this.#view = inbox.subarray(0, 0);
    this.#channel = new (channelAddon().Channel)(fd, this.#isPort, inbox, (event, value) => {
      if (event === channelEvent.data) this.#received(value);
      else this.#happened(event, value);
    });
  }

  get keptAs(): string | undefined {
    return this.#owner.keptAs;
  }

  get endsWithGeneration(): boolean {
    return this.#owner.endsWithGeneration === true;
  }

  start(sink: ConnectionSink): void {
    this.#sink = sink;
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) this.#deliver(Buffer.from(first));
    this.#channel.start();
  }

  write(bytes: Uint8Array | string): boolean {
    return this.#closed || this.#channel.write(bytes);
  }

  writeBase64(before: string, bytes: Uint8Array, after: string): boolean {
    return this.#closed || this.#channel.writeBase64(before, bytes, after);
  }

  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.resume();
  }

  /** What was written is still sent, as long as the host takes it. */
  close(): void {
    if (this.#closed) return;
    const released = this.#channel.close();
    this.#end();
    if (released) this.#release();
  }

  /** Closes at once, whatever waits. */
  destroy(): void {
    this.#channel.destroy();
    this.#end();
    this.#release();
  }

  /** A port whose device is reset: the conversation stays, and what is written waits. */
  detach(): void {
    this.#channel.detach();
  }

  /** Takes over the port's descriptor of now. */
  attach(fd: number): void {
    this.#channel.attach(fd);
  }

  /** Whether it can be handed to another process as it is: nothing waits to be sent. */
  get isIdle(): boolean {
    return !this.#closed && this.#channel.isIdle();
  }

  /** Gives the descriptor up as it is, without a word to anybody. */
  letGo(): void {
    this.#closed = this.#released = true;
    this.#channel.destroy();
  }

  #received(length: number): void {
    if (this.#view.length !== length) this.#view = this.#inbox.subarray(0, length);
    this.#deliver(this.#view);
  }

  #deliver(bytes: Buffer): void {
    if (this.#isPort && this.#start.isIn(bytes)) this.#sink?.hostChanged();
    this.#sink?.data(bytes);
  }

  #happened(event: number, value: number): void {
    if (event === channelEvent.released) this.#release();
    else if (this.#closed) return;
    else if (event === channelEvent.drained) this.#sink?.drained();
    else if (event === channelEvent.hostChanged) this.#hostChanged();
    else if (event === channelEvent.dataAfterMiss) {
      this.#sink?.hostMissed?.();
      this.#received(value);
    }
    else if (event === channelEvent.stuck) this.#owner.stuck?.();
    else if (event === channelEvent.ended) {
      this.#end();
      this.#owner.ended?.(value);
    }
  }

  #hostChanged(): void {
    this.#start.forget();
    this.#sink?.hostChanged(true);
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink?.closed();
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#owner.released();
  }
}

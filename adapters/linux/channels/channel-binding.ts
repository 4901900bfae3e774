// SPDX-License-Identifier: Apache-2.0
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What native/linux/{channel,listener,terminal}.cc offer. Failures are `AgentError`s of kind `os`. */
export interface ChannelAddon {
  /** Owns `fd`. `inbox` is where input lands; several channels may share it. */
  readonly Channel: new (fd: number, isPort: boolean, inbox: Uint8Array, onEvent: (event: number, value: number) => void) => NativeChannel;
  /** Owns `fd`. A negative `fd` in the callback is the errno of accept4(2). */
  readonly Listener: new (fd: number, onAccept: (fd: number, peer: number, detail: number) => void) => NativeListener;

  /** A non-blocking listening descriptor; the socket file has `mode` from its first moment. */
  listenUnix(path: string, mode: number, backlog: number): number;
  /** Process id of whoever listens at the path, 0 where it cannot be told. @throws `ECONNREFUSED` when nobody does */
  probeUnix(path: string): number;
  listenVsock(cid: number, port: number, backlog: number): number;
  describeSocket(fd: number): SocketDescription;
  /** For a descriptor that came with the process; makes it non-blocking too. @throws `EBADF` */
  setCloseOnExec(fd: number): void;
  /** Raw terminal at 38400 baud, pending input dropped. @throws `ENOTTY` */
  makeRaw(fd: number): void;
}

export interface NativeChannel {
  start(): void;
  /** Latin-1 text or bytes. False: no more before the `drained` event. */
  write(bytes: Uint8Array | string): boolean;
  /** Latin-1 text, base64 of bytes, latin-1 text. */
  writeBase64(before: string, bytes: Uint8Array, after: string): boolean;
  pause(): void;
  resume(): void;
  /** Sends what waits and closes; true: closed already, else the `released` event comes. */
  close(): boolean;
  /** Whether it is open, and nothing waits to be sent. */
  isIdle(): boolean;
  /** Closes at once. */
  destroy(): void;
  /** Closes a port's descriptor, with everything else as it is, until `attach`: what is written waits, nothing is read. */
  detach(): void;
  /** Owns `fd`. */
  attach(fd: number): void;
}

export interface NativeListener {
  pause(): void;
  resume(): void;
  close(): void;
}

export interface SocketDescription {
  readonly family: 'unix' | 'vsock' | 'other';
  readonly listening: boolean;
  readonly path?: string;
  readonly cid?: number;
  readonly port?: number;
}

/** Events of `NativeChannel`, in the order of `Channel::Event` in native/linux/channel.h. */
export const channelEvent = { data: 0, drained: 1, hostChanged: 2, ended: 3, released: 4, stuck: 5, dataAfterMiss: 6 } as const;

export const channelAddon = (): ChannelAddon => nativeAddon() as NativeAddon & ChannelAddon;

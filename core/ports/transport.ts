// SPDX-License-Identifier: Apache-2.0
import type { Finding } from './diagnosis.ts';
import type { KeptOfChannel } from './keeper.ts';
import type { Log } from './log.ts';

/**
 * The ways to the host that a system has. A backend brings those that the agent lacks: it has the sockets and serial devices of
 * Linux and of Windows, and a Unix socket everywhere else. A name of both is the backend's.
 */
export interface Channels {
  /** What `--method` can name. */
  readonly methods: readonly ChannelMethod[];
  /**
   * A transport that is not open yet: its `open` touches the device. With `--retry-path` it is called anew for each attempt.
   *
   * @throws failed error for a path that can never be right, such as a malformed address
   */
  create(method: string, path: string, options: ChannelOptions): Promise<Transport>;
  /**
   * With `--retry-path`, after an attempt that failed and after a loss: resolves to true when another attempt makes sense, because
   * the device has come, or when `signal` is aborted; to false at once where the device is there already or its coming cannot be
   * noticed: then time is what helps. Absent: always false.
   */
  appears?(method: string, path: string, signal: AbortSignal): Promise<boolean>;
  /** What stands in the way of opening it, without opening it: an agent that serves must not notice. Never rejects. */
  examine?(method: string, path: string): Promise<readonly Finding[]>;
}

export interface ChannelMethod {
  /** `virtio-serial`, `isa-serial`, `unix-listen`, `vsock-listen`, or a name of the system's own. */
  readonly name: string;
  /** Where it goes when nobody says; absent: a path has to be given. */
  readonly defaultPath?: string;
}

export interface ChannelOptions {
  readonly log: Log;
  /** CIDs that may talk on vsock; the host's alone where absent. */
  readonly vsockAllow?: readonly number[];
  /** What outlives the agent, where anything does. */
  readonly kept?: KeptOfChannel;
}

/**
 * The way to the host. One transport may have one connection (a serial port) or many (a socket).
 */
export interface Transport {
  /** For the log and for people: `unix-listen /run/concierge-ga.sock`. */
  readonly description: string;
  /**
   * Opens the channel and serves it: `connected` is called for each host that comes. Resolves once hosts can come.
   * @throws failed error, one sentence that says what to do
   */
  open(connected: (connection: Connection) => void): Promise<void>;
  /** Settles when the channel is lost for good (unplugged, closed): never after `close`. */
  readonly lost: Promise<Error>;
  /**
   * Lets go of all connections as they are, for the next agent to go on with: nothing is read, written or told any more. False:
   * an answer waits to be taken, or the channel is not open; nothing has happened then. Absent: it cannot be handed over.
   */
  handOver?(): boolean;
  /** Whether `handOver` would be possible now: an agent hands over all of its channels, or none. Absent: it cannot be handed over. */
  canHandOver?(): boolean;
  /** Stops serving, drops connections, removes what `open` created (a socket file). Idempotent. */
  close(): Promise<void>;
}

/** Receives what happens on a connection, in order. */
export interface ConnectionSink {
  /** Bytes from the host. The array is the sink's only during the call: it copies what it keeps. */
  data(chunk: Uint8Array): void;
  /** `write` answered false before, and now there is room again. */
  drained(): void;
  /**
   * Another host takes over, or this one came back (a serial port): unfinished input is void, unsent output is dropped.
   * `seen`: the system has said so. Else it may be the same host that begins another request, which is as good.
   */
  hostChanged(seen?: true): void;
  /** No host was there for a moment: who says the next word may be another one, or the same. What is unfinished stays. */
  hostMissed?(): void;
  /** No more will come. Nothing is called afterwards. */
  closed(): void;
}

/** Who is at the other end, as the kernel says: a process (`pid` 0: one that this system cannot see), or a port of another machine. */
export type Peer = { readonly pid: number; readonly uid: number } | { readonly cid: number; readonly port: number };

export interface Connection {
  /** Absent where nobody tells. */
  readonly peer?: Peer;
  /**
   * True where the other end is gone when this guest is restored, without this end being told: a vsock connection. A port goes on
   * with the host of now.
   */
  readonly endsWithGeneration?: boolean;
  /** By which the next agent knows this connection again, where it outlives this one. No other of the channel has it meanwhile. */
  readonly keptAs?: string | undefined;
  /** Begins delivery. Called once, by the session. */
  start(sink: ConnectionSink): void;
  /**
   * Queues bytes for the host. False: more than the transport wants to hold is waiting; write no more before
   * `drained`. After the host is gone it takes and drops everything.
   */
  write(bytes: Uint8Array | string): boolean;
  /**
   * The same for latin-1 text, the base64 of bytes, and latin-1 text. The array is the caller's again when it returns. Absent
   * where the transport has no better way to it than `write`.
   */
  writeBase64?(before: string, bytes: Uint8Array, after: string): boolean;
  /** Stops and resumes delivery of `data`; what is buffered below stays there (back-pressure reaches the host). */
  pause(): void;
  resume(): void;
  close(): void;
}

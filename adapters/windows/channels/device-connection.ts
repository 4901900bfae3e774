// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode } from '../../../core/errors/agent-error.ts';
import type { Connection, ConnectionSink } from '../../../core/ports/transport.ts';
import type { OverlappedDevice } from './overlapped-device.ts';

/** What is used of it. */
export type Device = Pick<OverlappedDevice, 'read' | 'cancelRead' | 'write' | 'hostState' | 'close'>;

/** More than this waiting to be sent: the session is asked to stop. */
const highWater = 1024 * 1024;
/** A host that takes nothing for so long has gone: what waits for it is dropped. */
const writeLimitMs = 60_000;
/**
 * A read that comes back at once and empty: no host is connected, and asking again is all that a driver without a word for it
 * leaves (qemu-ga 10.2 asks ten times in a second).
 */
const [firstPauseMs, longestPauseMs] = [20, 1_000];
/** A driver that tells of hosts is not asked, except for a word of it that was lost. */
const lookMs = 60_000;

/** What vioser and other drivers say while no host is connected; qemu-ga 10.2 takes the same ones for a hang-up. */
const noHost: ReadonlySet<string | undefined> = new Set(['ERROR_HANDLE_EOF', 'ERROR_NO_SYSTEM_RESOURCES', 'ERROR_OPERATION_ABORTED']);

const pauseOf = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** The one connection of a serial device. */
export class DeviceConnection implements Connection {
  readonly #device: Device;
  readonly #tellsOfHosts: boolean;
  readonly #lost: (error: Error) => void;
  #sink: ConnectionSink | undefined;
  #queue: Uint8Array[] = [];
  #waiting = 0;
  #full = false;
  #writing = false;
  #reading = false;
  #paused: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #closing = false;
  #closed = false;
  /** Resolves when the driver next says that a host has come or gone; new before each read. */
  #word = Promise.withResolvers<void>();
  /** Whether it has ever said so: from then on there is hardly a need to ask. */
  #driverTells = false;
  /** The read that ends was cancelled here. */
  #readAgain = false;

  /**
   * @param tellsOfHosts a port of virtio-serial, where an empty read means that no host is there; a serial line never knows
   * @param lost called once when the device is gone
   */
  constructor(device: Device, tellsOfHosts: boolean, lost: (error: Error) => void) {
    this.#device = device;
    this.#tellsOfHosts = tellsOfHosts;
    this.#lost = lost;
  }

  start(sink: ConnectionSink): void {
    this.#sink = sink;
    void this.#readOn();
  }

  write(bytes: Uint8Array | string): boolean {
    if (this.#closing) return true;
    // The caller may use its array again. A string has one byte in each character: the sentinel is U+00FF.
    const copy = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Uint8Array.from(bytes);
    this.#queue.push(copy);
    this.#waiting += copy.length;
    if (!this.#writing) void this.#writeOn();
    this.#full = this.#waiting > highWater;
    return !this.#full;
  }

  pause(): void {
    this.#paused ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }

  /** What was written is still sent, as long as the host takes it. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (!this.#writing) this.destroy();
  }

  /** Closes at once, whatever waits. */
  destroy(): void {
    this.#closing = true;
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    this.resume();
    this.#word.resolve();
    this.#device.close();
    this.#sink?.closed();
  }

  async #readOn(): Promise<void> {
    let pause = 0;
    while (!this.#closed) {
      this.#word = Promise.withResolvers();
      const chunk = await this.#read();
      if (this.#closed) return;
      if (chunk.length > 0) {
        pause = 0;
        await this.#paused?.promise;
        // Not when closed meanwhile, and the memory of the chunk with it.
        if (!this.#closed) this.#sink?.data(chunk);
        continue;
      }
      if (this.#readAgain) {
        this.#readAgain = false;
        continue;
      }
      // Told at once, also to a session that has paused: it may wait for a request that hangs.
      if (pause === 0 && this.#tellsOfHosts) this.#hostWent();
      pause = Math.min(longestPauseMs, Math.max(firstPauseMs, pause * 2));
      await this.#mayHaveCome(pause);
    }
  }

  async #mayHaveCome(pause: number): Promise<void> {
    const timer = setTimeout(this.#word.resolve, this.#driverTells ? lookMs : pause).unref();
    await this.#word.promise;
    clearTimeout(timer);
  }

  /** The driver says that a host has come, or has gone. */
  hostMayHaveChanged(): void {
    this.#driverTells = true;
    this.#word.resolve();
    void this.#dropForNobody();
  }

  /** The machine has slept, and the driver may have forgotten what it was asked and not told what happened. */
  machineResumed(): void {
    if (this.#closed) return;
    this.#word.resolve();
    if (!this.#reading) return;
    this.#readAgain = true;
    this.#device.cancelRead();
  }

  /** A read goes on waiting when its host goes, for the next one. */
  async #dropForNobody(): Promise<void> {
    if ((await this.#device.hostState()) === 'absent' && !this.#closed) this.#hostWent();
  }

  /** The device is to be removed: nothing of ours is to keep it when this returns. */
  deviceGoes(): void {
    if (!this.#closed) this.#gone(AgentError.failed('the device is being removed'));
  }

  /** Nothing where no host is there. */
  async #read(): Promise<Uint8Array> {
    this.#reading = true;
    try {
      return await this.#device.read();
    } catch (error) {
      if (!this.#closed && !noHost.has(osCode(error))) this.#gone(error);
      return new Uint8Array();
    } finally {
      this.#reading = false;
    }
  }

  async #writeOn(): Promise<void> {
    this.#writing = true;
    for (let piece = this.#queue.shift(); piece !== undefined; piece = this.#queue.shift()) {
      try {
        await this.#writeWhole(piece);
      } catch (error) {
        if (!this.#closed) this.#gone(error);
      }
      this.#waiting = this.#queue.reduce((sum, { length }) => sum + length, 0);
      if (this.#full && this.#waiting <= highWater / 2) {
        this.#full = false;
        this.#sink?.drained();
      }
    }
    this.#writing = false;
    if (this.#closing) this.destroy();
  }

  /** A serial line may take less than it is given, or nothing. @throws os error of the device */
  async #writeWhole(piece: Uint8Array): Promise<void> {
    let since = performance.now();
    for (let done = 0; done < piece.length && !this.#closed;) {
      const taken = await this.#take(piece.subarray(done));
      if (taken === undefined) return this.#hostWent();
      done += taken;
      if (taken > 0) since = performance.now();
      else if (performance.now() - since > writeLimitMs) return this.#hostWent();
      else await pauseOf(firstPauseMs);
    }
  }

  /** How much the device takes: 0 while its queue is full, `undefined` where no host is there. @throws os error of the device */
  async #take(bytes: Uint8Array): Promise<number | undefined> {
    try {
      return await this.#device.write(bytes, writeLimitMs);
    } catch (error) {
      if (this.#closed || noHost.has(osCode(error))) return undefined;
      if (osCode(error) !== 'ERROR_CANT_WAIT') throw error;
      // vioser's word for both: its queue is full, or no host is there.
      const state = await this.#device.hostState();
      return state === 'full' || state === 'ready' ? 0 : undefined;
    }
  }

  /** Unfinished input is void, and output for the one who went is nobody else's. */
  #hostWent(): void {
    this.#queue = [];
    this.#waiting = 0;
    this.#sink?.hostChanged();
    if (!this.#full) return;
    this.#full = false;
    this.#sink?.drained();
  }

  #gone(error: unknown): void {
    this.destroy();
    this.#lost(error instanceof Error ? error : new Error(String(error)));
  }
}

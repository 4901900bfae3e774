// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { AgentError, osCode, withContext } from '../../core/errors/agent-error.ts';
import type { FreezeMarkerData, KeptDescriptors, StateStore } from '../../core/ports/index.ts';
import { systemError } from '../shared/system-error.ts';
import { thisBoot, type Boot } from './boot.ts';
import { lockDirectory, type DirectoryLock, type LockFile } from './directory-lock.ts';
import { replaceDurably, replaceDurablySync, replaceSync } from './durable-file.ts';
import { FreezeMarkerFile } from './freeze-marker-file.ts';
import { StateDirectory } from './state-directory.ts';
import { firstHandle, formatCounter, parseCounter, safeCounter } from './handle-counter.ts';

/** How far the file is ahead of the numbers that were handed out, so that not every open writes to a disk. */
const ahead = 64n;

const counterName = 'qga.state';

export interface StateStoreOptions {
  readonly directory: string;
  readonly warn: (line: string) => void;
  /** Absent where the platform has no file locks. */
  readonly lock?: LockFile;
  /** What outlives the agent: the lock does then. */
  readonly kept?: Pick<KeptDescriptors, 'take' | 'keep'>;
  readonly boot?: Boot;
  /** Wall clock, nanoseconds. */
  readonly now?: () => bigint;
}

/**
 * The state directory, in the files of qemu-ga 11.1 so that either agent goes on from the other's.
 *
 * Reading at the start, the marker and the end are synchronous: a few hundred bytes, and they must not wait behind
 * operations that are stuck in the pool. The counter is written in the pool, ahead of need and never while frozen.
 */
export class FileStateStore implements StateStore {
  readonly directory: string;
  readonly #warn: (line: string) => void;
  readonly #boot: Boot;
  readonly #place: StateDirectory;
  readonly #lock: DirectoryLock;
  readonly #counterPath: string;
  readonly #marker: FreezeMarkerFile;
  readonly #thawed = Promise.withResolvers<void>();
  #next: bigint;
  /** Numbers below it may be handed out: a restart goes on from here. */
  #reserved: bigint;
  #writing: Promise<void> = Promise.resolve();

  /** @throws failed error, one sentence for the administrator */
  constructor({ directory, warn, lock, kept, boot = thisBoot(), now = () => BigInt(Date.now()) * 1_000_000n }: StateStoreOptions) {
    this.#place = openDirectory(directory);
    this.directory = this.#place.path;
    this.#warn = warn;
    this.#boot = boot;
    this.#counterPath = join(this.directory, counterName);
    this.#marker = new FreezeMarkerFile(this.#place, boot, warn);
    try {
      // With a marker there, the directory itself may lie on a frozen disk: whoever writes to it would wait for a thaw.
      const mayWrite = !this.#marker.exists;
      if (mayWrite) this.#thawed.resolve();
      if (mayWrite) this.#place.make();
      this.#lock = lockDirectory(this.#place, { lock, mayWrite, kept });
      this.#next = this.#loadCounter(now, mayWrite);
      this.#reserved = this.#next;
    } catch (error) {
      this.#place.close();
      throw error;
    }
  }

  reserveHandles(count: number): Promise<bigint> {
    const first = this.#next;
    const end = first + BigInt(count);
    if (end <= this.#reserved) {
      this.#next = end;
      return Promise.resolve(first);
    }
    const turn = this.#writing.then(() => this.#reserveDurably(BigInt(count)));
    this.#writing = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #reserveDurably(count: bigint): Promise<bigint> {
    const first = this.#next;
    if (first + count > this.#reserved) {
      const reserved = first + count + ahead;
      try {
        await replaceDurably(this.#place, counterName, formatCounter(reserved));
      } catch (error) {
        this.#warn(`failed to write persistent state to ${this.#counterPath}: ${systemError(error).message}`);
        throw AgentError.failed('failed to commit persistent state to disk', error);
      }
      this.#reserved = reserved;
    }
    // Others may have been served from the numbers set aside while this one was written.
    const start = this.#next;
    if (start + count > this.#reserved) return this.#reserveDurably(count);
    this.#next = start + count;
    return start;
  }

  writeFreezeMarker(marker: FreezeMarkerData): Promise<void> {
    return settled(() => this.#marker.write(marker));
  }

  removeFreezeMarker(): Promise<void> {
    return settled(() => {
      this.#marker.remove();
      this.#thawed.resolve();
    });
  }

  readFreezeMarker(): Promise<FreezeMarkerData | undefined> {
    return settled(() => {
      const marker = this.#marker.read();
      if (marker === undefined) this.#thawed.resolve();
      return marker;
    });
  }

  /** Resolves when nothing is frozen that an earlier agent froze: at once, mostly. */
  get thawed(): Promise<void> {
    return this.#thawed.promise;
  }

  bootId(): Promise<string> {
    return Promise.resolve(this.#boot.id);
  }

  /** Leaves the exact next number to the agent that comes next. The store is of no use afterwards. */
  close(): void {
    try {
      // With something still frozen, writing might wait for a thaw that nobody makes.
      if (this.#next !== this.#reserved && !this.#marker.exists) replaceDurablySync(this.#place, counterName, formatCounter(this.#next));
    } catch (error) {
      this.#warn(`failed to write persistent state to ${this.#counterPath}: ${systemError(error).message}`);
    }
    this.#lock.release();
    this.#place.close();
  }

  #loadCounter(now: () => bigint, mayWrite: boolean): bigint {
    const text = this.#readCounter();
    if (text === undefined) {
      if (this.#lock.usedBefore) {
        this.#warn(`${this.#counterPath} is gone: file handles go on from a number that cannot have been used`);
        return this.#begin(safeCounter(now()), mayWrite);
      }
      return this.#begin(firstHandle, mayWrite);
    }
    const counter = parseCounter(text);
    if (counter !== undefined) return counter;
    if (mayWrite) this.#setAside();
    return this.#begin(safeCounter(now(), text), mayWrite);
  }

  #readCounter(): string | undefined {
    try {
      return this.#place.read(counterName);
    } catch (error) {
      if (osCode(error) === undefined) throw error;
      throw withContext(`error loading persistent state from path: ${this.#counterPath}`, error);
    }
  }

  #begin(counter: bigint, mayWrite: boolean): bigint {
    try {
      // Before the first number has been handed out there is nothing that must not be forgotten; two fsyncs take longer than
      // the rest of the start.
      const replace = counter === firstHandle ? replaceSync : replaceDurablySync;
      if (mayWrite) replace(this.#place, counterName, formatCounter(counter));
    } catch (error) {
      this.#lock.release();
      throw AgentError.failed(`failed to write persistent state to ${this.#counterPath}: ${systemError(error).message}`, error);
    }
    return counter;
  }

  #setAside(): void {
    const aside = `${counterName}.corrupt-${new Date().toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '')}`;
    this.#warn(`${this.#counterPath} is damaged: it is kept as ${join(this.directory, aside)}, and file handles go on from a number that cannot have been used`);
    try {
      this.#place.rename(counterName, aside);
    } catch (error) {
      this.#warn(`unable to rename ${this.#counterPath}: ${systemError(error).message}`);
    }
  }
}

/** Synchronous work behind an asynchronous contract. */
function settled<T>(work: () => T): Promise<T> {
  return new Promise((done) => done(work()));
}

/** What cannot even be looked at is told as the reference tells it, of the file that it looks for first. */
function openDirectory(path: string): StateDirectory {
  try {
    return new StateDirectory(path);
  } catch (error) {
    if (osCode(error) === undefined) throw error;
    throw withContext(`unable to access state file at path ${path}/qga.state.isfrozen`, error);
  }
}

import { mkdirSync, readFileSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AgentError, osCode, withContext } from '../../core/errors/agent-error.ts';
import type { FreezeMarkerData, StateStore } from '../../core/ports/index.ts';
import { systemError } from '../system-error.ts';
import { survivesReboot, thisBoot, type Boot } from './boot.ts';
import { lockDirectory, type DirectoryLock, type LockFile } from './directory-lock.ts';
import { replaceDurably, replaceDurablySync } from './durable-file.ts';
import { formatMarker, parseMarker } from './freeze-marker.ts';
import { firstHandle, formatCounter, parseCounter, safeCounter } from './handle-counter.ts';

/** How far the file is ahead of the numbers that were handed out, so that not every open writes to a disk. */
const ahead = 64n;

export interface StateStoreOptions {
  readonly directory: string;
  readonly warn: (line: string) => void;
  /** Absent where the platform has no file locks. */
  readonly lock?: LockFile;
  readonly boot?: Boot;
  /** Wall clock, nanoseconds. */
  readonly now?: () => bigint;
}

/**
 * The state directory, in the files of qemu-ga 10.2 so that either agent goes on from the other's.
 *
 * Reading at the start, the marker and the end are synchronous: a few hundred bytes, and they must not wait behind
 * operations that are stuck in the pool. The counter is written in the pool, ahead of need and never while frozen.
 */
export class FileStateStore implements StateStore {
  readonly directory: string;
  readonly #warn: (line: string) => void;
  readonly #boot: Boot;
  readonly #lock: DirectoryLock;
  readonly #counterPath: string;
  readonly #markerPath: string;
  #next: bigint;
  /** Numbers below it may be handed out: a restart goes on from here. */
  #reserved: bigint;
  #writing: Promise<void> = Promise.resolve();

  /** @throws failed error, one sentence for the administrator */
  constructor({ directory, warn, lock, boot = thisBoot(), now = () => BigInt(Date.now()) * 1_000_000n }: StateStoreOptions) {
    this.directory = resolve(directory);
    this.#warn = warn;
    this.#boot = boot;
    this.#counterPath = join(this.directory, 'qga.state');
    this.#markerPath = join(this.directory, 'qga.state.isfrozen');
    // With a marker there, the directory itself may lie on a frozen disk: whoever writes to it would wait for a thaw.
    const mayWrite = this.#modified(this.#markerPath) === undefined;
    if (mayWrite) makeDirectory(this.directory);
    this.#lock = lockDirectory(this.directory, lock, mayWrite);
    this.#next = this.#loadCounter(now, mayWrite);
    this.#reserved = this.#next;
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
        await replaceDurably(this.#counterPath, formatCounter(reserved));
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

  async writeFreezeMarker(marker: FreezeMarkerData): Promise<void> {
    try {
      replaceDurablySync(this.#markerPath, formatMarker(marker));
    } catch (error) {
      throw withContext(`unable to create ${this.#markerPath}`, systemError(error, this.#markerPath));
    }
  }

  async removeFreezeMarker(): Promise<void> {
    try {
      unlinkSync(this.#markerPath);
    } catch (error) {
      const failure = systemError(error, this.#markerPath);
      if (osCode(failure) !== 'ENOENT') throw withContext(`unable to remove ${this.#markerPath}`, failure);
    }
  }

  async readFreezeMarker(): Promise<FreezeMarkerData | undefined> {
    const modified = this.#modified(this.#markerPath);
    if (modified === undefined) return undefined;
    const marker = parseMarker(readFileSync(this.#markerPath, 'utf8'));
    if (marker === undefined) return this.#silentMarker(modified);
    if (marker.bootId !== this.#boot.id && marker.bootId !== '' && this.#boot.id !== '') {
      this.#forget('it was written in an earlier boot');
      return undefined;
    }
    return marker;
  }

  /** What qemu-ga leaves: something is frozen, nobody knows what. Its age tells whether that was in this boot. */
  #silentMarker(modified: number): FreezeMarkerData | undefined {
    const slack = 5000;
    if (survivesReboot(this.directory) && modified + slack < this.#boot.at) {
      this.#forget('it is older than this boot');
      return undefined;
    }
    return { bootId: this.#boot.id, targets: [], deadlineAt: 0n, recoveryData: {} };
  }

  #forget(why: string): void {
    this.#warn(`${this.#markerPath} says that file systems are frozen, but ${why}: it is removed`);
    try {
      unlinkSync(this.#markerPath);
    } catch (error) {
      this.#warn(`unable to remove ${this.#markerPath}: ${systemError(error).message}`);
    }
  }

  bootId(): Promise<string> {
    return Promise.resolve(this.#boot.id);
  }

  /** Leaves the exact next number to the agent that comes next. The store is of no use afterwards. */
  close(): void {
    try {
      if (this.#next !== this.#reserved) replaceDurablySync(this.#counterPath, formatCounter(this.#next));
    } catch (error) {
      this.#warn(`failed to write persistent state to ${this.#counterPath}: ${systemError(error).message}`);
    }
    this.#lock.release();
  }

  #loadCounter(now: () => bigint, mayWrite: boolean): bigint {
    let text: string;
    try {
      text = readFileSync(this.#counterPath, 'utf8');
    } catch (error) {
      const failure = systemError(error, this.#counterPath);
      if (osCode(failure) !== 'ENOENT') throw withContext(`error loading persistent state from path: ${this.#counterPath}`, failure);
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

  #begin(counter: bigint, mayWrite: boolean): bigint {
    try {
      if (mayWrite) replaceDurablySync(this.#counterPath, formatCounter(counter));
    } catch (error) {
      this.#lock.release();
      throw AgentError.failed(`failed to write persistent state to ${this.#counterPath}: ${systemError(error).message}`, error);
    }
    return counter;
  }

  #setAside(): void {
    const aside = `${this.#counterPath}.corrupt-${new Date().toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '')}`;
    this.#warn(`${this.#counterPath} is damaged: it is kept as ${aside}, and file handles go on from a number that cannot have been used`);
    try {
      renameSync(this.#counterPath, aside);
    } catch (error) {
      this.#warn(`unable to rename ${this.#counterPath}: ${systemError(error).message}`);
    }
  }

  /** Milliseconds since 1970, or `undefined` where there is no such file. */
  #modified(path: string): number | undefined {
    try {
      return statSync(path).mtimeMs;
    } catch (error) {
      const failure = systemError(error, path);
      if (osCode(failure) === 'ENOENT') return undefined;
      throw withContext(`unable to access state file at path ${path}`, failure);
    }
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw withContext(`unable to create (an ancestor of) the state directory '${directory}'`, systemError(error, directory));
  }
}

// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { FileAccess, LeftFile, OpenFile, OpenMode, Place, Ready, StateStore } from '../ports/index.ts';

/** Files that may be open at a time: a client that loses its handles must not take the guest's descriptors with them. */
export const MAX_OPEN_FILES = 1024;

/** Handle numbers taken at a time. The store is ahead on its disk, so that few of them cost a write. */
const NUMBERS_PER_RESERVATION = 1;

/** An open file that is the holder's alone until it is given back. */
export interface HeldFile {
  readonly file: OpenFile;
  /** Lets the next one have it. Idempotent. */
  readonly release: () => void;
}

interface Entry {
  readonly handle: bigint;
  readonly file: OpenFile;
  held: boolean;
  /** Those who wait for it, in the order in which they came: at most one for each request that is under way. */
  readonly waiting: (() => void)[];
}

const notFound = (handle: bigint): AgentError => AgentError.failed(`handle '${handle}' has not been found`);

/**
 * The files that hosts have opened, by handle. Handles belong to the agent and not to a connection: two hosts may use
 * one, and their calls go one after the other. A handle number is never given twice, restarts included.
 */
export class FileHandleTable {
  readonly #access: FileAccess | undefined;
  readonly #store: Pick<StateStore, 'reserveHandles'>;
  readonly #permissions: number;
  readonly #owner: string;
  readonly #entries = new Map<bigint, Entry>();
  #opening = 0;
  #next = 0n;
  #reservedUpTo = 0n;
  #reserving: Promise<void> | undefined;

  /** `permissions`: mode of a file that is created. `owner`: whose the files are, for a next agent. */
  constructor(access: FileAccess | undefined, store: Pick<StateStore, 'reserveHandles'>, permissions = 0o644, owner = '') {
    this.#access = access;
    this.#store = store;
    this.#permissions = permissions;
    this.#owner = owner;
  }

  /** Goes on with a file that an earlier agent had open. To be called before any is opened. */
  takeOver({ handle, file }: Pick<LeftFile, 'handle' | 'file'>): void {
    this.#entries.set(handle, { handle, file, held: false, waiting: [] });
  }

  /** Open files and those that are being opened. */
  get size(): number {
    return this.#entries.size + this.#opening;
  }

  /**
   * Opens a file and answers its handle. A failed opening uses up no number. `admit` throws where what is opened must not be.
   *
   * @throws AgentError of kind `os` from the system, or failed: too many files, no number could be set aside
   */
  async open(path: string, mode: OpenMode, admit?: (place: Place) => void): Promise<bigint> {
    const access = this.#access;
    if (access === undefined) throw AgentError.failed('this backend has no files');
    if (this.size >= MAX_OPEN_FILES) throw AgentError.failed(`${MAX_OPEN_FILES} files are open already`);
    this.#opening += 1;
    try {
      // Before the file: where no number can be had, none is created.
      await this.#reserve();
      const file = await opening(access, path, mode.create ? { ...mode, permissions: this.#permissions } : mode, admit);
      // Others may have taken the number meanwhile, and more than one of them the same: it is looked at and taken in one go.
      while (!this.#hasNumber) {
        try {
          await this.#reserve();
        } catch (error) {
          await file.close().catch(() => undefined);
          throw error;
        }
      }
      const handle = this.#next;
      this.#next += 1n;
      file.keepAs?.(handle, this.#owner);
      this.#entries.set(handle, { handle, file, held: false, waiting: [] });
      return handle;
    } finally {
      this.#opening -= 1;
    }
  }

  /**
   * Makes calls on a file while nobody else does; at once where it is free.
   *
   * @throws AgentError `handle 'N' has not been found`
   */
  use<T>(handle: bigint, action: (file: OpenFile) => Ready<T>): Ready<T> {
    const held = this.hold(handle);
    return held instanceof Promise ? held.then((mine) => act(mine, action)) : act(held, action);
  }

  /** Like `use`, for those who need the file for longer than one call. They must release it. */
  hold(handle: bigint): Ready<HeldFile> {
    const entry = this.#entries.get(handle);
    if (entry === undefined) throw notFound(handle);
    if (!entry.held) return this.#take(entry);
    return new Promise((resolve, reject) => {
      entry.waiting.push(() => {
        // Whoever had it before may have closed it.
        if (this.#entries.get(handle) === entry) resolve(this.#take(entry));
        else {
          reject(notFound(handle));
          entry.waiting.shift()?.();
        }
      });
    });
  }

  /**
   * Closes a file. The handle is gone afterwards, whatever the system says.
   *
   * @throws AgentError `handle 'N' has not been found`, or of kind `os` from the system
   */
  async close(handle: bigint): Promise<void> {
    const held = await this.hold(handle);
    this.#entries.delete(handle);
    held.release();
    await held.file.close();
  }

  /**
   * Closes every file, at the end. One that is stuck in a call is closed when the call comes back, and not waited for:
   * the process ends without it. Never rejects.
   */
  async closeAll(): Promise<void> {
    const free = Array.from(this.#entries.values()).filter(({ held }) => !held);
    for (const { handle, held } of this.#entries.values()) if (held) void this.close(handle).catch(() => undefined);
    await Promise.allSettled(free.map(({ handle }) => this.close(handle)));
  }

  #take(entry: Entry): HeldFile {
    entry.held = true;
    let mine = true;
    return {
      file: entry.file,
      release: () => {
        if (!mine) return;
        mine = false;
        entry.held = false;
        entry.waiting.shift()?.();
      },
    };
  }

  get #hasNumber(): boolean {
    return this.#next < this.#reservedUpTo;
  }

  /** Sees to it that there is a number; somebody else may take it before the caller goes on. */
  async #reserve(): Promise<void> {
    if (this.#hasNumber) return;
    this.#reserving ??= this.#store.reserveHandles(NUMBERS_PER_RESERVATION).then(
      (first) => {
        this.#next = first;
        this.#reservedUpTo = first + BigInt(NUMBERS_PER_RESERVATION);
        this.#reserving = undefined;
      },
      (error: unknown) => {
        this.#reserving = undefined;
        throw error;
      },
    );
    await this.#reserving;
  }
}

function opening(access: FileAccess, path: string, mode: OpenMode, admit: ((place: Place) => void) | undefined): Promise<OpenFile> {
  if (admit === undefined) return access.open(path, mode);
  if (access.openAdmitted === undefined) throw AgentError.failed('a rule of the policy is about files, and this system cannot tell where a file really lies');
  return access.openAdmitted(path, mode, admit);
}

function act<T>({ file, release }: HeldFile, action: (file: OpenFile) => Ready<T>): Ready<T> {
  let result: Ready<T>;
  try {
    result = action(file);
  } catch (error) {
    release();
    throw error;
  }
  if (result instanceof Promise) return result.finally(release);
  release();
  return result;
}

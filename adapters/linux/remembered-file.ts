// SPDX-License-Identifier: Apache-2.0
import { nativeAddon, type NativeAddon } from './native.ts';

/** Reads a whole file of at most `limit` bytes off the event loop and off libuv's pool. @throws os error */
export type ReadFile = (path: string, limit: number) => Promise<Uint8Array>;

/**
 * Tells a file's version without waiting for a disk: a text that changes with the file, and when it last did, in
 * milliseconds since 1970. A number where it can't be told.
 */
export type StampFile = (path: string) => readonly [version: string, changed: number] | number;

/**
 * File systems keep times in steps of up to two seconds: a file that changed just before it was read may change again
 * without showing it.
 */
const settledMs = 3000;

/** More than are ever asked for; then everything is forgotten. */
const mostFiles = 16;

interface Remembered<T> {
  readonly version: string;
  readonly value: T;
}

const stampFile: StampFile = (path) => (nativeAddon() as NativeAddon & { fileStamp: StampFile }).fileStamp(path);

/**
 * What small files on a disk say, parsed. As long as the kernel knows from memory that one is unchanged, it is not read
 * again: that would take a thread, which may have to wait for the disk.
 */
export class RememberedFiles<T> {
  readonly #readFile: ReadFile;
  readonly #parse: (bytes: Uint8Array) => T;
  readonly #limit: number;
  readonly #stampFile: StampFile;
  readonly #files = new Map<string, Remembered<T>>();

  constructor({ readFile, parse, limit, stamp = stampFile }: {
    readonly readFile: ReadFile;
    readonly parse: (bytes: Uint8Array) => T;
    readonly limit: number;
    readonly stamp?: StampFile;
  }) {
    this.#readFile = readFile;
    this.#parse = parse;
    this.#limit = limit;
    this.#stampFile = stamp;
  }

  /** The meaning of the file at a path; at once where it is known. @throws os error (as a rejection) */
  get(path: string): T | Promise<T> {
    const stamp = this.#stampFile(path);
    if (typeof stamp === 'number') return this.#read(path);
    const [version, changed] = stamp;
    const known = this.#files.get(path);
    if (known?.version === version) return known.value;
    return this.#read(path, Date.now() - changed >= settledMs ? version : undefined);
  }

  async #read(path: string, version?: string): Promise<T> {
    const value = this.#parse(await this.#readFile(path, this.#limit));
    if (version === undefined) return value;
    const after = this.#stampFile(path);
    if (typeof after !== 'number' && after[0] === version) {
      if (this.#files.size >= mostFiles) this.#files.clear();
      this.#files.set(path, { version, value });
    }
    return value;
  }
}

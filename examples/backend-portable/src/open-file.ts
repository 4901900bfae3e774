// SPDX-License-Identifier: Apache-2.0
import type { FileHandle } from 'node:fs/promises';
import { posixError, type OpenFile, type OpenMode, type Whence } from 'concierge-ga/kit';

import { asSystem } from './system-error.ts';

/**
 * Node has no lseek(2): the position of a regular file is kept here and named with every call. What has no positions
 * (FIFOs, terminals) is read and written as it comes.
 */
export class PortableFile implements OpenFile {
  readonly #handle: FileHandle;
  readonly #mode: OpenMode;
  readonly #path: string;
  readonly #seekable: boolean;
  #position = 0n;
  #closed = false;

  constructor(handle: FileHandle, path: string, mode: OpenMode, seekable: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#mode = mode;
    this.#seekable = seekable;
  }

  async read(into: Uint8Array): Promise<number> {
    this.#mustBeOpen();
    const position = this.#seekable ? this.#position : null;
    const { bytesRead } = await asSystem(this.#handle.read(into, { position }), this.#path);
    this.#position += BigInt(bytesRead);
    return bytesRead;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    for (let at = 0; at < bytes.length;) {
      const place = this.#seekable && !this.#mode.append ? this.#position : null;
      // Node takes positions beyond 2^53 only for reading; no file is that long.
      const written = await asSystem(this.#handle.write(bytes, at, bytes.length - at, place === null ? null : Number(place)), this.#path);
      at += written.bytesWritten;
      this.#position += BigInt(written.bytesWritten);
    }
    if (this.#mode.append && this.#seekable && bytes.length > 0) this.#position = await this.#size();
  }

  async seek(offset: bigint, whence: Whence): Promise<bigint> {
    this.#mustBeOpen();
    if (!this.#seekable) throw posixError('ESPIPE', { syscall: 'lseek', path: this.#path });
    const base = whence === 'set' ? 0n : whence === 'cur' ? this.#position : await this.#size();
    const position = base + offset;
    if (position < 0n || position >= 2n ** 63n) throw posixError('EINVAL', { syscall: 'lseek', path: this.#path });
    this.#position = position;
    return position;
  }

  flush(): void {
    // Nothing is buffered in the process.
    this.#mustBeOpen();
  }

  async close(): Promise<void> {
    this.#mustBeOpen();
    this.#closed = true;
    await asSystem(this.#handle.close(), this.#path);
  }

  #mustBeOpen(): void {
    if (this.#closed) throw posixError('EBADF', { path: this.#path });
  }

  async #size(): Promise<bigint> {
    return (await asSystem(this.#handle.stat({ bigint: true }), this.#path)).size;
  }
}

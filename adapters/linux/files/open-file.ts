// SPDX-License-Identifier: Apache-2.0
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import type { OpenFile, Ready, Whence } from '../../../core/ports/file-system.ts';

/** The addon's side of an open file. A failure is thrown where it is known at once, else it rejects. */
export interface NativeFile {
  read(into: Uint8Array): Ready<number>;
  write(bytes: Uint8Array): Promise<void>;
  /** `whence` as in lseek(2). */
  seek(offset: bigint, whence: number): Ready<bigint>;
  close(): Promise<void>;
  /** Its descriptor, which stays its own. */
  descriptor(): number;
}

/** As which a file outlives the agent: with its handle behind it, and its owner as the note. */
export const keptPrefix = 'file-';

/** lseek(2): SEEK_SET, SEEK_CUR, SEEK_END. */
const whenceNumbers: Readonly<Record<Whence, number>> = { set: 0, cur: 1, end: 2 };

/** An open file of this system. Bytes in the page cache are read without a thread; everything else waits on one. */
export class LinuxOpenFile implements OpenFile {
  readonly #file: NativeFile;
  readonly #kept: KeptDescriptors | undefined;
  #handle: bigint | undefined;

  /** `handle`: under which an earlier agent had it. */
  constructor(file: NativeFile, kept?: KeptDescriptors, handle?: bigint) {
    this.#file = file;
    this.#kept = kept;
    this.#handle = handle;
  }

  /** The position belongs to what the descriptor refers to, and goes along. */
  keepAs(handle: bigint, owner: string): void {
    if (this.#kept === undefined) return;
    this.#handle = handle;
    this.#kept.keep(`${keptPrefix}${handle}`, 'plain', owner, this.#file.descriptor());
  }

  read(into: Uint8Array): Ready<number> {
    return into.length === 0 ? 0 : this.#file.read(into);
  }

  write(bytes: Uint8Array): Ready<void> {
    return bytes.length === 0 ? undefined : this.#file.write(bytes);
  }

  seek(offset: bigint, whence: Whence): Ready<bigint> {
    return this.#file.seek(offset, whenceNumbers[whence]);
  }

  /** Nothing is held back here: write(2) has taken every byte. */
  flush(): void {}

  async close(): Promise<void> {
    if (this.#handle !== undefined) void this.#kept?.drop(`${keptPrefix}${this.#handle}`);
    await this.#file.close();
  }
}

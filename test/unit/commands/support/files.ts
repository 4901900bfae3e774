// SPDX-License-Identifier: Apache-2.0
import { posixError, type PosixCode } from '../../../../core/errors/posix-errno.ts';
import type { FileAccess, OpenFile, OpenMode, Ready, Whence } from '../../../../core/ports/index.ts';

/** Files in memory. `slow` ones settle later, as on a real disk; others answer at once. */
export class MemoryFiles implements FileAccess {
  readonly contents = new Map<string, Buffer>();
  readonly opened: MemoryFile[] = [];
  slow = false;

  open(path: string, mode: OpenMode): Promise<OpenFile> {
    if (!this.contents.has(path)) {
      if (!mode.create) return Promise.reject(posixError('ENOENT', { path }));
      this.contents.set(path, Buffer.alloc(0));
    }
    if (mode.truncate) this.contents.set(path, Buffer.alloc(0));
    const file = new MemoryFile(this, path, mode);
    this.opened.push(file);
    return Promise.resolve(file);
  }
}

export class MemoryFile implements OpenFile {
  readonly #files: MemoryFiles;
  readonly #path: string;
  readonly #mode: OpenMode;
  position = 0;
  closed = false;
  calls = 0;
  /** Bytes that a read may answer at most, as a pipe does. */
  most = Infinity;
  /** What the call of this number throws. */
  readonly failures = new Map<number, PosixCode>();
  closeFailure: PosixCode | undefined;
  /** A call waits for it before it does anything. */
  gate: Promise<void> | undefined;

  constructor(files: MemoryFiles, path: string, mode: OpenMode) {
    this.#files = files;
    this.#path = path;
    this.#mode = mode;
  }

  get content(): Buffer {
    return this.#files.contents.get(this.#path) ?? Buffer.alloc(0);
  }

  read(into: Uint8Array): Ready<number> {
    return this.#call(() => {
      if (!this.#mode.read) throw posixError('EBADF');
      const bytes = this.content.subarray(this.position, this.position + Math.min(into.length, this.most));
      into.set(bytes);
      this.position += bytes.length;
      return bytes.length;
    });
  }

  write(bytes: Uint8Array): Ready<void> {
    return this.#call(() => {
      if (!this.#mode.write) throw posixError('EBADF');
      if (this.#mode.append) this.position = this.content.length;
      const whole = Buffer.alloc(Math.max(this.content.length, this.position + bytes.length));
      this.content.copy(whole);
      whole.set(bytes, this.position);
      this.position += bytes.length;
      this.#files.contents.set(this.#path, whole);
    });
  }

  seek(offset: bigint, whence: Whence): Ready<bigint> {
    return this.#call(() => {
      const from = { set: 0, cur: this.position, end: this.content.length }[whence];
      const position = BigInt(from) + offset;
      if (position < 0n || position > 2n ** 53n) throw posixError('EINVAL');
      this.position = Number(position);
      return position;
    });
  }

  flush(): Ready<void> {
    return this.#call(() => undefined);
  }

  close(): Promise<void> {
    this.closed = true;
    return this.closeFailure === undefined ? Promise.resolve() : Promise.reject(posixError(this.closeFailure));
  }

  #call<T>(action: () => T): Ready<T> {
    this.calls += 1;
    const failure = this.failures.get(this.calls);
    const act = (): T => {
      if (failure !== undefined) throw posixError(failure);
      return action();
    };
    if (this.gate !== undefined) return this.gate.then(act);
    return this.#files.slow ? Promise.resolve().then(act) : act();
  }
}

// SPDX-License-Identifier: Apache-2.0
import { posixError } from '../../core/errors/posix-errno.ts';
import type { OpenFile, Ready, Whence } from '../../core/ports/file-system.ts';
import { kernel32 } from './bindings/kernel32.ts';
import type { Out, Pointer } from './koffi.ts';
import { fileLane } from './lane.ts';
import { lastWindowsError, windowsErrorOf } from './system-error.ts';

/** `pipe`: no position, and reading never waits. `device`: no position. */
export type FileKind = 'disk' | 'pipe' | 'device';

/** SetFilePointerEx: FILE_BEGIN, FILE_CURRENT, FILE_END. */
const methods: Readonly<Record<Whence, number>> = { set: 0, cur: 1, end: 2 };

const ERROR_HANDLE_EOF = 38;
const ERROR_BROKEN_PIPE = 109;
const ERROR_NO_DATA = 232;
const ERROR_INVALID_HANDLE = 6;
const ERROR_SEEK_ON_DEVICE = 132;

/** Most that one call moves: it occupies a thread for so long. A multiple of 3, as base64 is. */
const pieceSize = 786_432;

/** An open file. Every call on it that can wait does so on a thread. */
export class WindowsOpenFile implements OpenFile {
  readonly #handle: Pointer;
  readonly #path: string;
  readonly #kind: FileKind;
  readonly #writable: boolean;
  #closed = false;

  constructor(handle: Pointer, path: string, kind: FileKind, writable: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#kind = kind;
    this.#writable = writable;
  }

  async read(into: Uint8Array): Promise<number> {
    this.#demandOpen('ReadFile');
    if (into.length === 0) return 0;
    const read: Out<number> = [0];
    const length = Math.min(into.length, pieceSize);
    // The memory of an array is not moved, and koffi keeps the array as long as the call runs.
    const { result, lastError: code } = await fileLane.run(() => kernel32.ReadFile.async(this.#handle, into, length, read, null));
    if (result !== 0) return read[0];
    // Nobody writes into the pipe any more: its end.
    if (code === ERROR_HANDLE_EOF || code === ERROR_BROKEN_PIPE) return 0;
    if (code === ERROR_NO_DATA) throw posixError('EAGAIN', { syscall: 'ReadFile', path: this.#path });
    throw windowsErrorOf(code, { syscall: 'ReadFile', path: this.#path });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#demandOpen('WriteFile');
    for (let done = 0; done < bytes.length;) {
      const piece = bytes.subarray(done, done + pieceSize);
      const written: Out<number> = [0];
      const { result, lastError: code } = await fileLane.run(() => kernel32.WriteFile.async(this.#handle, piece, piece.length, written, null));
      if (result === 0) throw windowsErrorOf(code, { syscall: 'WriteFile', path: this.#path });
      // A pipe that is full takes nothing.
      if (written[0] === 0) throw posixError('EAGAIN', { syscall: 'WriteFile', path: this.#path });
      done += written[0];
    }
  }

  seek(offset: bigint, whence: Whence): Ready<bigint> {
    this.#demandOpen('SetFilePointerEx');
    if (this.#kind !== 'disk') throw windowsErrorOf(ERROR_SEEK_ON_DEVICE, { syscall: 'SetFilePointerEx', path: this.#path });
    const position = Buffer.alloc(8);
    if (kernel32.SetFilePointerEx(this.#handle, offset, position, methods[whence]) === 0) throw lastWindowsError('SetFilePointerEx', this.#path);
    return position.readBigInt64LE(0);
  }

  /**
   * Down to the disk, as in qemu-ga 10.2. There is nothing to flush in what can only be read; flushing a pipe would wait
   * for its other side.
   */
  async flush(): Promise<void> {
    this.#demandOpen('FlushFileBuffers');
    if (!this.#writable || this.#kind !== 'disk') return;
    const { result, lastError: code } = await fileLane.run(() => kernel32.FlushFileBuffers.async(this.#handle));
    if (result === 0) throw windowsErrorOf(code, { syscall: 'FlushFileBuffers', path: this.#path });
  }

  /** Closing a file can wait for its disk or server. */
  async close(): Promise<void> {
    this.#demandOpen('CloseHandle');
    this.#closed = true;
    const { result, lastError: code } = await fileLane.run(() => kernel32.CloseHandle.async(this.#handle));
    if (result === 0) throw windowsErrorOf(code, { syscall: 'CloseHandle', path: this.#path });
  }

  /** The number of a closed handle may be another file's by now. */
  #demandOpen(syscall: string): void {
    if (this.#closed) throw windowsErrorOf(ERROR_INVALID_HANDLE, { syscall, path: this.#path });
  }
}

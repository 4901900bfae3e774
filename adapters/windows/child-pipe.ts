// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';

import { INVALID_HANDLE, kernel32, SECURITY_ATTRIBUTES } from './bindings/kernel32.ts';
import type { Pointer } from './koffi.ts';
import { structure } from './layout.ts';
import { OverlappedCalls } from './overlapped-calls.ts';
import { withSecurity } from './private-files.ts';
import { lastWindowsError } from './system-error.ts';

const PIPE_ACCESS_INBOUND = 1;
const PIPE_ACCESS_OUTBOUND = 2;
const FILE_FLAG_OVERLAPPED = 0x4000_0000;
const FILE_FLAG_FIRST_PIPE_INSTANCE = 0x0008_0000;
const PIPE_REJECT_REMOTE_CLIENTS = 8;
const GENERIC_READ = 0x8000_0000;
const GENERIC_WRITE = 0x4000_0000;
const OPEN_EXISTING = 3;
const FILE_SHARE_READ = 1;
const FILE_SHARE_WRITE = 2;
/** Most bytes that are moved at a time. */
export const pieceSize = 64 * 1024;

/** For SYSTEM, administrators and whoever runs the agent: the name of a pipe is no secret. */
const rights = 'D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)';

/** Attributes of a handle that a child takes over. */
const inheritable = (): Buffer => structure(SECURITY_ATTRIBUTES, { nLength: SECURITY_ATTRIBUTES.size, bInheritHandle: 1 });

/** An empty input, or a place for output that nobody wants; for a child. @throws os error */
export const nothing = (): Pointer => opened('NUL', GENERIC_READ | GENERIC_WRITE);

function opened(path: string, access: number): Pointer {
  const handle = kernel32.CreateFileW(path, access >>> 0, FILE_SHARE_READ | FILE_SHARE_WRITE, inheritable(), OPEN_EXISTING, 0, null);
  if (handle === INVALID_HANDLE) throw lastWindowsError('CreateFile', path);
  return handle;
}

/** A pipe to or from a child: one end of ours, with overlapped I/O, and one that the child takes over. */
export class ChildPipe {
  readonly #handle: Pointer;
  readonly #calls: OverlappedCalls;
  /** To be closed once the child has it. */
  readonly childs: Pointer;
  #busy = false;
  #closed = false;

  private constructor(handle: Pointer, childs: Pointer) {
    this.#handle = handle;
    this.#calls = new OverlappedCalls(handle, pieceSize);
    this.childs = childs;
  }

  /** @param direction of the bytes: `input` goes to the child. @throws os error */
  static make(direction: 'input' | 'output'): Promise<ChildPipe> {
    return withSecurity(rights, (attributes) => {
      const name = `\\\\.\\pipe\\concierge-ga-${randomBytes(16).toString('hex')}`;
      const access = direction === 'input' ? PIPE_ACCESS_OUTBOUND : PIPE_ACCESS_INBOUND;
      // One instance: nobody else can be at its other end once the child's is open.
      const handle = kernel32.CreateNamedPipeW(name, access | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE, PIPE_REJECT_REMOTE_CLIENTS, 1, pieceSize, pieceSize, 0, attributes);
      if (handle === INVALID_HANDLE) throw lastWindowsError('CreateNamedPipe');
      try {
        return Promise.resolve(new ChildPipe(handle, opened(name, direction === 'input' ? GENERIC_READ : GENERIC_WRITE)));
      } catch (error) {
        kernel32.CloseHandle(handle);
        throw error;
      }
    });
  }

  /** Hands on what comes, until every other end is closed or this one is. Never rejects. */
  async readOn(heard: (bytes: Uint8Array) => void): Promise<void> {
    await this.#whileOpen(async () => {
      const length = await this.#calls.move((memory, overlapped, size) => kernel32.ReadFile(this.#handle, memory, size, null, overlapped), 'ReadFile');
      if (!this.#closed) heard(Uint8Array.from(this.#calls.bytes.subarray(0, length)));
      return true;
    });
  }

  /** Writes all of it and closes; a child that ends without having read it is no error. Never rejects. */
  async feed(bytes: Uint8Array): Promise<void> {
    let done = 0;
    await this.#whileOpen(async () => {
      const piece = bytes.subarray(done, done + pieceSize);
      if (piece.length === 0) return false;
      done += await this.#write(piece);
      return true;
    });
    this.close();
  }

  /** Reads one piece, when it comes; undefined at the end, and when this is closed. Never rejects. */
  async next(): Promise<Uint8Array | undefined> {
    let piece: Uint8Array | undefined;
    await this.#whileOpen(async () => {
      const length = await this.#calls.move((memory, overlapped, size) => kernel32.ReadFile(this.#handle, memory, size, null, overlapped), 'ReadFile');
      piece = this.#closed ? undefined : Uint8Array.from(this.#calls.bytes.subarray(0, length));
      return false;
    });
    return piece;
  }

  /** Writes one piece, which is copied at once; false where nobody reads it. Never rejects. */
  async put(piece: Uint8Array): Promise<boolean> {
    let isPut = false;
    await this.#whileOpen(async () => {
      await this.#write(piece);
      isPut = true;
      return false;
    });
    return isPut;
  }

  #write(piece: Uint8Array): Promise<number> {
    return this.#calls.move((memory, overlapped) => {
      this.#calls.bytes.set(piece);
      return kernel32.WriteFile(this.#handle, memory, piece.length, null, overlapped);
    }, 'WriteFile');
  }

  async #whileOpen(step: () => Promise<boolean>): Promise<void> {
    // Its memory is given back already.
    if (this.#closed) return;
    this.#busy = true;
    try {
      while (!this.#closed && (await step()));
    } catch {
      // The other end is closed, or this one.
    } finally {
      this.#busy = false;
      if (this.#closed) this.#calls.free();
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.end();
    kernel32.CloseHandle(this.#handle);
    if (!this.#busy) this.#calls.free();
  }
}

// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from '../bindings/kernel32.ts';
import { portInformationCodes, VIRTIO_PORT_INFO } from '../bindings/virtio-serial.ts';
import type { Pointer } from '../koffi.ts';
import { readFields } from '../layout.ts';
import { OverlappedCalls } from '../overlapped-calls.ts';

const pieceSize = 64 * 1024;
const questionMs = 1_000;
const questionSize = 1_024;

/** `full`: a host is there and has not taken what was written before. */
export type HostState = 'absent' | 'full' | 'ready';

/**
 * A device with overlapped I/O: a read that waits does not hold up a write, as it would on a synchronous handle. Waits
 * are made by the system's threads and cost none of libuv's.
 */
export class OverlappedDevice {
  readonly #handle: Pointer;
  readonly #input: OverlappedCalls;
  readonly #output: OverlappedCalls;
  readonly #question: OverlappedCalls;
  /** Waits of the system's threads keep no process alive, and an open channel should. It fires every 24 days. */
  readonly #alive = setInterval(() => {}, 0x7fff_ffff);
  #busy = 0;
  #closed = false;

  /** Takes over a handle that was opened with FILE_FLAG_OVERLAPPED. */
  constructor(handle: Pointer) {
    this.#handle = handle;
    this.#input = new OverlappedCalls(handle, pieceSize);
    this.#output = new OverlappedCalls(handle, pieceSize);
    this.#question = new OverlappedCalls(handle, questionSize);
  }

  /** Waits for input and answers it; the array is the caller's until the next read. @throws os error of the device */
  async read(): Promise<Uint8Array> {
    const length = await this.#doing(() =>
      this.#input.move((memory, overlapped, size) => kernel32.ReadFile(this.#handle, memory, size, null, overlapped), 'ReadFile'));
    return this.#input.bytes.subarray(0, length);
  }

  /** A `read` that waits ends with `ERROR_OPERATION_ABORTED`. */
  cancelRead(): void {
    if (!this.#closed) this.#input.cancel();
  }

  /** Writes at most what one call takes and answers how much. @throws os error; `ERROR_OPERATION_ABORTED` soon after `ms` */
  async write(bytes: Uint8Array, ms: number): Promise<number> {
    const piece = bytes.subarray(0, pieceSize);
    return this.#doing(() =>
      this.#output.move((memory, overlapped) => {
        this.#output.bytes.set(piece);
        return kernel32.WriteFile(this.#handle, memory, piece.length, null, overlapped);
      }, 'WriteFile', ms));
  }

  /** What the driver of a virtio port says of the host; `undefined` where it does not say. */
  async hostState(): Promise<HostState | undefined> {
    for (const code of portInformationCodes) {
      if (this.#closed) return undefined;
      try {
        const length = await this.#doing(() => this.#question.move(
          (memory, overlapped, size) => kernel32.DeviceIoControl(this.#handle, code, null, 0, memory, size, null, overlapped), 'DeviceIoControl', questionMs));
        if (length < VIRTIO_PORT_INFO.size) continue;
        const { HostConnected, OutVqFull } = readFields(VIRTIO_PORT_INFO, Buffer.from(this.#question.bytes.subarray(0, VIRTIO_PORT_INFO.size)));
        if (HostConnected === 0) return 'absent';
        return OutVqFull === 0 ? 'ready' : 'full';
      } catch {
        // The code of another release.
      }
    }
    return undefined;
  }

  /**
   * Ends what is waited for and closes the device, before it returns: one that is to be removed must not be held open. Memory is
   * the system's until the calls have come back. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#alive);
    for (const calls of this.#calls) calls.end();
    kernel32.CloseHandle(this.#handle);
    if (this.#busy === 0) this.#free();
  }

  get #calls(): readonly OverlappedCalls[] {
    return [this.#input, this.#output, this.#question];
  }

  async #doing<T>(work: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
      if (this.#closed && this.#busy === 0) this.#free();
    }
  }

  #free(): void {
    for (const calls of this.#calls) calls.free();
  }
}

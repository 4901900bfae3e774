// SPDX-License-Identifier: Apache-2.0
import { kernel32, OVERLAPPED } from './bindings/kernel32.ts';
import { lastError } from './dll.ts';
import { koffi, type Out, type Pointer } from './koffi.ts';
import { structure } from './layout.ts';
import { windowsErrorOf } from './system-error.ts';
import { waitFor } from './wait.ts';

const ERROR_IO_PENDING = 997;
const ERROR_OPERATION_ABORTED = 995;
const ERROR_TIMEOUT = 1460;
/**
 * How long the system may take to give back a call that was cancelled. vioser, since December 2019, does not cancel a write at
 * all: it gives it back when the host takes it, which may be never.
 */
const cancelMs = 1_000;

/**
 * Calls on a handle with overlapped I/O, one at a time: with memory of their own, where the system may write or read whenever
 * it likes, and an event of their own.
 */
export class OverlappedCalls {
  readonly #handle: Pointer;
  readonly #size: number;
  readonly #memory: Pointer;
  readonly #overlapped: Pointer;
  readonly #event: Pointer;
  readonly bytes: Uint8Array;
  #over = false;
  /** The system has not given back a call that was given up, nor the memory of it. */
  #stuck = false;
  #unused = false;

  constructor(handle: Pointer, size: number) {
    this.#handle = handle;
    this.#size = size;
    // Native memory: that of an array could be collected while the system still has its address.
    this.#memory = koffi().alloc('uint8_t', size + OVERLAPPED.size);
    this.#overlapped = this.#memory + BigInt(size);
    this.#event = kernel32.CreateEventW(null, 1, 0, null);
    this.bytes = new Uint8Array(koffi().view(this.#memory, size));
  }

  /**
   * Makes a call that may end later, and answers how many bytes it moved.
   *
   * @throws os error of the device; `ERROR_OPERATION_ABORTED` after `cancel` or after `ms`, and as long as the system has not
   *   given back the call before
   */
  async move(call: (memory: Pointer, overlapped: Pointer, size: number) => number, syscall: string, ms?: number): Promise<number> {
    if (this.#stuck) throw windowsErrorOf(ERROR_OPERATION_ABORTED, { syscall });
    kernel32.ResetEvent(this.#event);
    new Uint8Array(koffi().view(this.#overlapped, OVERLAPPED.size)).set(structure(OVERLAPPED, { hEvent: this.#event }));
    const called = call(this.#memory, this.#overlapped, this.#size);
    const code = called === 0 ? lastError() : 0;
    if (code !== 0 && code !== ERROR_IO_PENDING) throw windowsErrorOf(code, { syscall });
    if (code === ERROR_IO_PENDING && !(await this.#completed(ms))) {
      this.#giveUp();
      throw windowsErrorOf(ERROR_OPERATION_ABORTED, { syscall });
    }
    const moved: Out<number> = [0];
    if (kernel32.GetOverlappedResult(this.#handle, this.#overlapped, moved, 0) !== 0) return moved[0];
    const failed = lastError();
    // A time-out of a serial line is no failure: it has moved what it has moved. (Windows says so by a success, Wine by this code.)
    if (failed === ERROR_TIMEOUT) return moved[0];
    throw windowsErrorOf(failed, { syscall });
  }

  async #completed(ms: number | undefined): Promise<boolean> {
    if (await waitFor(this.#event, ms).signalled) return true;
    if (!this.#over) kernel32.CancelIoEx(this.#handle, this.#overlapped);
    return waitFor(this.#event, cancelMs).signalled;
  }

  /** The system keeps the memory until it says that the call is over: that may be never. */
  #giveUp(): void {
    this.#stuck = true;
    void waitFor(this.#event).signalled.then(() => {
      this.#stuck = false;
      if (this.#unused) this.free();
    });
  }

  /** The call that is on ends with `ERROR_OPERATION_ABORTED`. */
  cancel(): void {
    if (!this.#over) kernel32.CancelIoEx(this.#handle, this.#overlapped);
  }

  /** The same, and the handle is used no more. */
  end(): void {
    this.cancel();
    this.#over = true;
  }

  /** Only when no call is on. */
  free(): void {
    this.#unused = true;
    if (this.#stuck) return;
    kernel32.CloseHandle(this.#event);
    koffi().free(this.#memory);
  }
}

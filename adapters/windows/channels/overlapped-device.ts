import { kernel32, OVERLAPPED } from '../bindings/kernel32.ts';
import { lastError } from '../dll.ts';
import { koffi, type Out, type Pointer } from '../koffi.ts';
import { structure } from '../layout.ts';
import { windowsErrorOf } from '../system-error.ts';
import { waitFor } from '../wait.ts';

const ERROR_IO_PENDING = 997;
const ERROR_TIMEOUT = 1460;
const pieceSize = 64 * 1024;

/** One direction of a device: its own memory, where the system may write or read whenever it likes, and its own event. */
class Direction {
  readonly #handle: Pointer;
  readonly #memory: Pointer;
  readonly #overlapped: Pointer;
  readonly #event: Pointer;
  readonly bytes: Uint8Array;
  #over = false;

  constructor(handle: Pointer) {
    this.#handle = handle;
    // Native memory: that of an array could be collected while the system still has its address.
    this.#memory = koffi().alloc('uint8_t', pieceSize + OVERLAPPED.size);
    this.#overlapped = this.#memory + BigInt(pieceSize);
    this.#event = kernel32.CreateEventW(null, 1, 0, null);
    this.bytes = new Uint8Array(koffi().view(this.#memory, pieceSize));
  }

  /**
   * Makes a call that may end later, and answers how many bytes it moved.
   *
   * @throws os error of the device; `ERROR_OPERATION_ABORTED` after `cancel` or after `ms`
   */
  async move(call: (memory: Pointer, overlapped: Pointer) => number, syscall: string, ms?: number): Promise<number> {
    kernel32.ResetEvent(this.#event);
    new Uint8Array(koffi().view(this.#overlapped, OVERLAPPED.size)).set(structure(OVERLAPPED, { hEvent: this.#event }));
    const called = call(this.#memory, this.#overlapped);
    const code = called === 0 ? lastError() : 0;
    if (code !== 0 && code !== ERROR_IO_PENDING) throw windowsErrorOf(code, { syscall });
    if (code === ERROR_IO_PENDING) await this.#completion(ms);
    const moved: Out<number> = [0];
    if (kernel32.GetOverlappedResult(this.#handle, this.#overlapped, moved, 0) !== 0) return moved[0];
    const failed = lastError();
    // A time-out of a serial line is no failure: it has moved what it has moved. (Windows says so by a success, Wine by this code.)
    if (failed === ERROR_TIMEOUT) return moved[0];
    throw windowsErrorOf(failed, { syscall });
  }

  async #completion(ms: number | undefined): Promise<void> {
    if (await waitFor(this.#event, ms).signalled) return;
    // The system has the memory until it says that the call is over, cancelled or not.
    if (!this.#over) kernel32.CancelIoEx(this.#handle, this.#overlapped);
    await waitFor(this.#event).signalled;
  }

  /** The call that is on ends with `ERROR_OPERATION_ABORTED`, and the handle is used no more. */
  end(): void {
    this.#over = true;
    kernel32.CancelIoEx(this.#handle, this.#overlapped);
  }

  /** Only when no call is on. */
  free(): void {
    kernel32.CloseHandle(this.#event);
    koffi().free(this.#memory);
  }
}

/**
 * A device with overlapped I/O: a read that waits does not hold up a write, as it would on a synchronous handle. Waits
 * are made by the system's threads and cost none of libuv's.
 */
export class OverlappedDevice {
  readonly #handle: Pointer;
  readonly #input: Direction;
  readonly #output: Direction;
  /** Waits of the system's threads keep no process alive, and an open channel should. It fires every 24 days. */
  readonly #alive = setInterval(() => {}, 0x7fff_ffff);
  #busy = 0;
  #closed = false;

  /** Takes over a handle that was opened with FILE_FLAG_OVERLAPPED. */
  constructor(handle: Pointer) {
    this.#handle = handle;
    this.#input = new Direction(handle);
    this.#output = new Direction(handle);
  }

  /** Waits for input and answers it; the array is the caller's until the next read. @throws os error of the device */
  async read(): Promise<Uint8Array> {
    const length = await this.#doing(() =>
      this.#input.move((memory, overlapped) => kernel32.ReadFile(this.#handle, memory, pieceSize, null, overlapped), 'ReadFile'));
    return this.#input.bytes.subarray(0, length);
  }

  /** Writes at most what one call takes and answers how much. @throws os error; `ERROR_OPERATION_ABORTED` after `ms` */
  async write(bytes: Uint8Array, ms: number): Promise<number> {
    const piece = bytes.subarray(0, pieceSize);
    return this.#doing(() => {
      this.#output.bytes.set(piece);
      return this.#output.move((memory, overlapped) => kernel32.WriteFile(this.#handle, memory, piece.length, null, overlapped), 'WriteFile', ms);
    });
  }

  /**
   * Ends what is waited for and closes the device, before it returns: one that is to be removed must not be held open. Memory is
   * the system's until the calls have come back. Idempotent.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#alive);
    this.#input.end();
    this.#output.end();
    kernel32.CloseHandle(this.#handle);
    if (this.#busy === 0) this.#free();
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
    this.#input.free();
    this.#output.free();
  }
}

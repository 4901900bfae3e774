import { kernel32, OVERLAPPED } from '../bindings/kernel32.ts';
import { portInformationCodes, VIRTIO_PORT_INFO } from '../bindings/virtio-serial.ts';
import { lastError } from '../dll.ts';
import { koffi, type Out, type Pointer } from '../koffi.ts';
import { readFields, structure } from '../layout.ts';
import { windowsErrorOf } from '../system-error.ts';
import { waitFor } from '../wait.ts';

const ERROR_IO_PENDING = 997;
const ERROR_OPERATION_ABORTED = 995;
const ERROR_TIMEOUT = 1460;
const pieceSize = 64 * 1024;
/**
 * How long the system may take to give back a call that was cancelled. vioser, since December 2019, does not cancel a write at
 * all: it gives it back when the host takes it, which may be never.
 */
const cancelMs = 1_000;
const questionMs = 1_000;
const questionSize = 1_024;

/** One direction of a device: its own memory, where the system may write or read whenever it likes, and its own event. */
class Direction {
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

/** `full`: a host is there and has not taken what was written before. */
export type HostState = 'absent' | 'full' | 'ready';

/**
 * A device with overlapped I/O: a read that waits does not hold up a write, as it would on a synchronous handle. Waits
 * are made by the system's threads and cost none of libuv's.
 */
export class OverlappedDevice {
  readonly #handle: Pointer;
  readonly #input: Direction;
  readonly #output: Direction;
  readonly #question: Direction;
  /** Waits of the system's threads keep no process alive, and an open channel should. It fires every 24 days. */
  readonly #alive = setInterval(() => {}, 0x7fff_ffff);
  #busy = 0;
  #closed = false;

  /** Takes over a handle that was opened with FILE_FLAG_OVERLAPPED. */
  constructor(handle: Pointer) {
    this.#handle = handle;
    this.#input = new Direction(handle, pieceSize);
    this.#output = new Direction(handle, pieceSize);
    this.#question = new Direction(handle, questionSize);
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
    for (const direction of this.#directions) direction.end();
    kernel32.CloseHandle(this.#handle);
    if (this.#busy === 0) this.#free();
  }

  get #directions(): readonly Direction[] {
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
    for (const direction of this.#directions) direction.free();
  }
}

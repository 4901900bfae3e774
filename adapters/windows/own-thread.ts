// SPDX-License-Identifier: Apache-2.0
import { call as Call, mostArguments, worker as Worker } from './bindings/vss-calls.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { demandExport } from './exports.ts';
import { koffi, type Pointer } from './koffi.ts';
import { structure, wide } from './layout.ts';
import { lastWindowsError } from './system-error.ts';
import { waitFor } from './wait.ts';

/**
 * A parameter: `void *`, an address or memory that is copied in and out; `str16`; `GUID`, by value, which the x64 convention
 * hands over as the address of a copy; an integer type; or `out TYPE` for where the function writes one.
 */
export type ParameterType = string;

/** A GUID as a parameter by value. */
export interface GuidValue { readonly bytes: readonly number[] }

const slotSize = 8;

/** A parameter in the memory of the call. */
interface Placed {
  /** What the function is given: a number, or a place in the memory. */
  readonly value: bigint | { readonly at: number };
  /** Takes what the function wrote. */
  readonly fetch?: (memory: Buffer) => void;
}

/** Copies arguments behind the structure, where they stay as long as the function may use them. */
class Arguments {
  readonly #pieces: Buffer[] = [];
  #size = Call.size;

  get size(): number {
    return this.#size;
  }

  place(type: ParameterType, value: unknown): Placed {
    if (type.startsWith('out ')) {
      const at = this.#put(Buffer.alloc(slotSize));
      return { value: { at }, fetch: (memory) => {
        (value as [unknown])[0] = written(memory, at, type.slice(4));
      } };
    }
    if (type === 'GUID') return { value: { at: this.#put(Buffer.from((value as GuidValue).bytes)) } };
    if (type === 'str16') return { value: { at: this.#put(wide(value as string)) } };
    if (Buffer.isBuffer(value)) {
      const at = this.#put(value);
      return { value: { at }, fetch: (memory) => void memory.copy(value, 0, at, at + value.length) };
    }
    return { value: value === null ? 0n : BigInt.asUintN(64, BigInt(value as number | bigint)) };
  }

  /** Where the bytes will be. */
  #put(bytes: Buffer): number {
    const at = this.#size;
    const padded = Buffer.alloc(Math.ceil(bytes.length / slotSize) * slotSize);
    bytes.copy(padded);
    this.#pieces.push(padded);
    this.#size += padded.length;
    return at;
  }

  copyTo(memory: Buffer): void {
    Buffer.concat(this.#pieces).copy(memory, Call.size);
  }
}

function written(memory: Buffer, at: number, type: ParameterType): unknown {
  switch (type) {
    case 'int':
    case 'int32_t': return memory.readInt32LE(at);
    case 'uint32_t': return memory.readUInt32LE(at);
    case 'void *': return memory.readBigUInt64LE(at) || null;
    default: throw new TypeError(`no function writes a ${type}`);
  }
}

/**
 * Calls a function that answers an HRESULT on a thread of its own, in the multithreaded apartment. It may take as long as it
 * likes, or for ever: no thread of libuv's pool is waiting for it, nor is the end of the process.
 */
export async function callOnThread(address: Pointer, parameters: readonly ParameterType[], values: readonly unknown[]): Promise<number> {
  if (parameters.length > mostArguments) throw new RangeError(`${parameters.length} arguments are more than ${mostArguments}`);
  const args = new Arguments();
  const placed = parameters.map((type, index) => args.place(type, values[index]));
  const thread = idle.pop() ?? new Thread();
  // Native: where it were an array's, V8 might move it, or collect it, under the function.
  const memory = koffi().alloc('uint8_t', args.size);
  const view = Buffer.from(koffi().view(memory, args.size));
  view.fill(0);
  args.copyTo(view);
  view.writeBigUInt64LE(address, Call.fields.function[0]);
  placed.forEach(({ value }, index) => {
    view.writeBigUInt64LE(typeof value === 'bigint' ? value : memory + BigInt(value.at), Call.fields.arguments[0] + index * slotSize);
  });
  await thread.make(memory);
  idle.push(thread);
  idleSince.refresh();
  for (const { fetch } of placed) fetch?.(view);
  const result = view.readInt32LE(Call.fields.result[0]);
  koffi().free(memory);
  return result;
}

/** Threads that wait for a call. One that hangs in one is not among them. */
const idle: Thread[] = [];

/** Between two freezes there are none. */
const idleMs = 2_000;
const idleSince = setTimeout(() => idle.splice(0).forEach((thread) => thread.end()), idleMs).unref();

class Thread {
  readonly #memory: Pointer;
  readonly #wanted: Pointer;
  readonly #done: Pointer;
  readonly #handle: Pointer;

  /** The routine is the provider's: where that is missing there is no freezing anyway. @throws as `demandExport` does */
  constructor() {
    const start = demandExport('concierge-vss.dll', 'ConciergeVssThread');
    this.#wanted = kernel32.CreateEventW(null, 0, 0, null);
    this.#done = kernel32.CreateEventW(null, 0, 0, null);
    this.#memory = koffi().alloc('uint8_t', Worker.size);
    this.#write(0n);
    this.#handle = kernel32.CreateThread(null, 0, start, this.#memory, 0, [0]);
    if (this.#handle !== 0n) return;
    const failure = lastWindowsError('CreateThread');
    this.#free();
    throw failure;
  }

  /** Makes the call, and resolves when it has come back. */
  async make(call: Pointer): Promise<void> {
    this.#write(call);
    const wait = waitFor(this.#done);
    // A wait of the system's keeps no process alive.
    const alive = setInterval(() => {}, 0x7fff_ffff);
    kernel32.SetEvent(this.#wanted);
    await wait.signalled;
    clearInterval(alive);
  }

  /** Lets the thread end. Only while it is idle. */
  end(): void {
    this.#write(0n);
    kernel32.SetEvent(this.#wanted);
    void waitFor(this.#handle).signalled.then(() => {
      kernel32.CloseHandle(this.#handle);
      this.#free();
    });
  }

  #write(call: Pointer): void {
    new Uint8Array(koffi().view(this.#memory, Worker.size)).set(structure(Worker, { wanted: this.#wanted, done: this.#done, call }));
  }

  #free(): void {
    kernel32.CloseHandle(this.#wanted);
    kernel32.CloseHandle(this.#done);
    koffi().free(this.#memory);
  }
}

// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from './bindings/kernel32.ts';
import { koffi, type Out, type Pointer } from './koffi.ts';
import { lastWindowsError } from './system-error.ts';

const WT_EXECUTEONLYONCE = 8;
const INFINITE = 0xffff_ffff;

/** A wait for an object of the system, by a thread of the system's own pool and none of libuv's. */
export interface Wait {
  /** True when the object was signalled, false after the time limit or `cancel`. */
  readonly signalled: Promise<boolean>;
  cancel(): void;
}

/** What the pool's threads call, the same for every wait and for the life of the process, and the waits that are on. */
let callback: Pointer | undefined;
let lastNumber = 0n;
const waits = new Map<bigint, (signalled: boolean) => void>();

/**
 * One function for all waits. A function for each would be given back when its wait is cancelled and given to the next wait,
 * while a thread of the pool may be on its way into it: that thread would then answer for a wait of somebody else.
 */
function callbackOfAll(): Pointer {
  const k = koffi();
  // WAITORTIMERCALLBACK of winnt.h. The context is the number of the wait; a cancelled one has none any more.
  callback ??= k.register((number: Pointer, timedOut: number) => waits.get(number)?.(timedOut === 0),
    k.pointer(k.proto(null, 'void', ['void *', 'uint8_t'])));
  return callback;
}

/** Begins to wait. The object must live until the promise has settled. `ms` absent: for ever. */
export function waitFor(object: Pointer, ms = INFINITE): Wait {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const number = (lastNumber += 1n);
  const registered: Out<Pointer | null> = [null];
  const handle = (): Pointer => registered[0] ?? 0n;
  waits.set(number, (signalled) => {
    waits.delete(number);
    // The system is done with the object. Not within the callback, whose wait cannot be given back before its end.
    setImmediate(() => {
      kernel32.UnregisterWaitEx(handle(), 0n);
      resolve(signalled);
    });
  });
  if (kernel32.RegisterWaitForSingleObject(registered, object, callbackOfAll(), number, ms, WT_EXECUTEONLYONCE) === 0) {
    const failure = lastWindowsError('RegisterWaitForSingleObject');
    waits.delete(number);
    throw failure;
  }
  return {
    signalled: promise,
    cancel: () => {
      if (waits.delete(number)) void released(handle()).then(() => resolve(false));
    },
  };
}

/**
 * Ends a wait, and resolves when no thread of the system looks at its object or is in its callback any more: the system
 * says so by an event, whether a callback is on (ERROR_IO_PENDING) or not.
 */
async function released(wait: Pointer): Promise<void> {
  const done = kernel32.CreateEventW(null, 1, 0, null);
  kernel32.UnregisterWaitEx(wait, done);
  await waitFor(done).signalled;
  kernel32.CloseHandle(done);
}

import { kernel32 } from './bindings/kernel32.ts';
import { koffi, type KoffiType, type Out, type Pointer } from './koffi.ts';
import { lastWindowsError } from './system-error.ts';

const WT_EXECUTEONLYONCE = 8;
const INFINITE = 0xffff_ffff;

let callbackType: KoffiType | undefined;

/** A wait for an object of the system, by a thread of the system's own pool and none of libuv's. */
export interface Wait {
  /** True when the object was signalled, false after the time limit or `cancel`. */
  readonly signalled: Promise<boolean>;
  cancel(): void;
}

/** Begins to wait. The object must live until the promise has settled. `ms` absent: for ever. */
export function waitFor(object: Pointer, ms = INFINITE): Wait {
  // WAITORTIMERCALLBACK of winnt.h.
  callbackType ??= koffi().pointer(koffi().proto(null, 'void', ['void *', 'uint8_t']));
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const wait: Out<Pointer | null> = [null];
  let over = false;
  const end = (signalled: boolean): void => {
    if (over) return;
    over = true;
    // Not within the callback itself, which would wait for its own end.
    setImmediate(() => {
      if (wait[0] !== null) kernel32.UnregisterWaitEx(wait[0], null);
      koffi().unregister(callback);
      resolve(signalled);
    });
  };
  const callback = koffi().register((_context: unknown, timedOut: number) => end(timedOut === 0), callbackType);
  if (kernel32.RegisterWaitForSingleObject(wait, object, callback, null, ms, WT_EXECUTEONLYONCE) === 0) {
    const failure = lastWindowsError('RegisterWaitForSingleObject');
    koffi().unregister(callback);
    throw failure;
  }
  return { signalled: promise, cancel: () => end(false) };
}

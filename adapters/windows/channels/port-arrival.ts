// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from '../bindings/kernel32.ts';
import { portClasses, watchClass, type SerialMethod } from './device-notification.ts';

/**
 * How long after the arrival of a port time is what helps: its driver gives it a name when the host has told it, which may be
 * after its interface has arrived.
 */
const settlingMs = 10_000;

/** For an arrival that was not heard, because it came before the registration did: a look once in a minute. */
const safetyMs = 60_000;

/** A device that has just been let go for its removal must not be opened again before the system is done with it. */
const leavingMs = 3_000;

const arrivals = new Map<SerialMethod, number>();
const departures = new Map<SerialMethod, number>();

/** A port of that kind is being removed. */
export const portLeaves = (method: SerialMethod): void => void departures.set(method, performance.now());

/** Resolves after so long, or when `signal` is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  await promise;
  signal.removeEventListener('abort', stop);
  clearTimeout(timer);
}

/**
 * Resolves to true once a port of that kind has arrived, or when `signal` is aborted; to false at once where the port is there,
 * where one has just arrived, and where the system cannot tell.
 */
export async function portArrives(method: SerialMethod, path: string, signal: AbortSignal): Promise<boolean> {
  const name = path.replace(/^\\\\[.?]\\(?:Global\\)?/i, '');
  // A pipe, say, which no class of devices tells of.
  if (name.includes('\\')) return false;
  const leaving = (departures.get(method) ?? -Infinity) + leavingMs - performance.now();
  if (leaving > 0 && !signal.aborted) await pause(leaving, signal);
  const settling = performance.now() - (arrivals.get(method) ?? -settlingMs) < settlingMs;
  if (settling || signal.aborted) return signal.aborted;
  const { promise, resolve } = Promise.withResolvers<void>();
  const watch = watchClass(portClasses[method], () => {
    arrivals.set(method, performance.now());
    resolve();
  });
  if (watch === undefined) return false;
  const timer = setTimeout(resolve, safetyMs);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  try {
    // After the registration: one that arrives between the two is heard or seen.
    if (isThere(name)) return false;
    await promise;
    return true;
  } finally {
    signal.removeEventListener('abort', stop);
    clearTimeout(timer);
    watch.close();
  }
}

/** Whether a device has that name. It is not opened: the host would take that for an agent that comes and goes. */
const isThere = (name: string): boolean => kernel32.QueryDosDeviceW(name, Buffer.alloc(1024), 512) !== 0;

// SPDX-License-Identifier: Apache-2.0
import type { Timer } from '../../core/ports/clock.ts';

/** setTimeout's limit: a longer delay would fire at once. */
const longestTimeout = 0x7fff_ffff;

/** `Clock.after` on Node's timers, for every backend that runs in real time: any delay, and no process is kept alive by it. */
export function after(ms: number, callback: () => void): Timer {
  let timer: NodeJS.Timeout;
  const wait = (left: number): void => {
    timer = left > longestTimeout ? setTimeout(() => wait(left - longestTimeout), longestTimeout) : setTimeout(callback, left);
    timer.unref();
  };
  wait(ms);
  return { cancel: () => clearTimeout(timer) };
}

// SPDX-License-Identifier: Apache-2.0
import { after } from '../shared/unreferenced-timer.ts';

/** Until then the first hosts have their answers: to load Node's module takes two milliseconds, and 1.5 MiB from then on. */
const startIsOverMs = 1000;

const flag = '--heap-growing-percent=100';

/**
 * Lets V8 collect whenever the heap has become twice what was in use after the last time. By itself it waits for up to four
 * times as much, where it finds its collector slow and the agent busy: after ten thousand programs that is 57 MiB where it
 * is 34 MiB otherwise, and which of them is chance. The launcher has told V8 already, mostly; else only when the start is over.
 */
export function boundHeap(execArgv: readonly string[] = process.execArgv): void {
  if (execArgv.includes(flag)) return;
  after(startIsOverMs, () => {
    void import('node:v8').then(({ setFlagsFromString }) => setFlagsFromString(flag));
  });
}

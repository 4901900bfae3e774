// SPDX-License-Identifier: Apache-2.0
import { warning } from '../../../core/diagnosis/finding.ts';
import type { Finding, Timer } from '../../../core/ports/index.ts';

/** Calls back once after so many milliseconds, unless it is cancelled before. */
export type After = (ms: number, callback: () => void) => Timer;

export const afterRealTime: After = (ms, callback) => {
  const timer = setTimeout(callback, ms);
  return { cancel: () => clearTimeout(timer) };
};

/** What a look found, or that it found nothing in time. It is not called back: what hangs in the kernel cannot be. */
export async function withinLimit(subject: string, limitMs: number, look: Promise<readonly Finding[]>, after: After): Promise<readonly Finding[]> {
  const late = Promise.withResolvers<readonly Finding[]>();
  const timer = after(limitMs, () => late.resolve([warning(subject, `did not answer within ${limitMs / 1000} s`)]));
  try {
    return await Promise.race([look, late.promise]);
  } finally {
    timer.cancel();
  }
}

// SPDX-License-Identifier: Apache-2.0
import { vi } from 'vitest';

/** Resolves once the condition holds; a machine with other things to do gets its time. */
export const until = async (condition: () => boolean): Promise<void> => {
  await vi.waitUntil(condition, { timeout: 20_000, interval: 5 });
};

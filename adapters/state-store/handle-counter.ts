// SPDX-License-Identifier: Apache-2.0
/** qemu-ga's first number on a machine that never had one. */
export const firstHandle = 1000n;

const group = /^\s*\[(.*)\]\s*$/;
const entry = /^\s*fd_counter\s*=\s*(\d+)\s*$/;

/** The file as qemu-ga writes and reads it. */
export const formatCounter = (next: bigint): string => `[global]\nfd_counter=${next}\n`;

/** The next number, or `undefined` where the text is not a state file that can be trusted. */
export function parseCounter(text: string): bigint | undefined {
  let inGlobal = false;
  let counter: bigint | undefined;
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const name = group.exec(line)?.[1];
    if (name !== undefined) inGlobal = name === 'global';
    else if (!line.includes('=')) return undefined;
    else if (inGlobal) counter = read(line, counter);
  }
  // qemu-ga 11.1 keeps 32 bits: a counter that passed 2^31 there comes back as 0 or negative.
  return counter === undefined || counter < 1n || counter >= 2n ** 62n ? undefined : counter;
}

function read(line: string, before: bigint | undefined): bigint | undefined {
  if (!/^\s*fd_counter\s*=/.test(line)) return before;
  const digits = entry.exec(line)?.[1];
  return digits === undefined ? -1n : BigInt(digits);
}

/**
 * A number that no earlier agent can have reached: microseconds since 1970, since nobody opens a million files a second.
 * Larger than any number that can still be made out in the damaged text, too. Below 2^53, so exact in every client.
 */
export function safeCounter(now: bigint, damaged = ''): bigint {
  const fromTime = now / 1000n;
  const legible = [...damaged.matchAll(/\d{1,18}/g)].map(([digits]) => BigInt(digits) + 1n).filter((number) => number < 2n ** 53n);
  return legible.reduce((largest, number) => (number > largest ? number : largest), fromTime);
}

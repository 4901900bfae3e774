// SPDX-License-Identifier: Apache-2.0
import type { FreezeReport } from './freeze/record.ts';
import type { GenerationLegacy } from './generation/controller.ts';

/** What an agent that goes to sleep leaves to the next one, besides the descriptors that are kept for it. */
export interface Legacy {
  /** Of the last freeze; absent: there was none. */
  readonly freezeReport?: FreezeReport | undefined;
  /** Of the last generation, and how the clocks were. */
  readonly generation?: GenerationLegacy | undefined;
}

/** Of the text, not of the agent: one that does not know it starts with nothing. */
const format = 1;

export const writeLegacy = (legacy: Legacy): string =>
  JSON.stringify({ format, ...legacy }, (_key, value: unknown) => (typeof value === 'bigint' ? { integer: String(value) } : value));

/** What the text says; nothing where it is of another format, as after an update. It is our own: only its age is in doubt. */
export function readLegacy(text: string): Legacy {
  const legacy = JSON.parse(text, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'integer' in value ? BigInt(value.integer as string) : value,
  ) as Legacy & { readonly format?: unknown };
  return legacy.format === format ? legacy : {};
}

// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

/**
 * For `JSON.stringify(answer, jsonReplacer)`: integers as numbers where these are exact, else as text of their digits; bytes as
 * base64, maps as objects.
 */
export function jsonReplacer(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>);
  // A Buffer has been asked for its own idea of JSON before.
  const original = (this as Readonly<Record<string, unknown>>)[key];
  return original instanceof Uint8Array ? Buffer.from(original).toString('base64') : value;
}

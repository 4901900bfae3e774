// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { interfaces } from '../../../adapters/windows/com.ts';
import { prototypes } from '../../../adapters/windows/dll.ts';
import { layouts } from '../../../adapters/windows/layout.ts';

const folder = fileURLToPath(new URL('../../../adapters/windows/', import.meta.url));

/** Every source file of the backend, by its path below adapters/windows. */
export const sources: ReadonlyMap<string, string> = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).toSorted()
    .map((name) => [name, readFileSync(`${folder}${name}`, 'utf8')]));

/**
 * All that the backend says of Windows' binary interfaces, wherever it says so: every module is loaded, and what they
 * declare has written itself down.
 */
export async function declarations() {
  for (const name of sources.keys()) await import(`${folder}${name}`);
  return { layouts, interfaces, prototypes };
}

export interface Constant {
  readonly file: string;
  /** As in the headers: `GENERIC_READ`, `SidTypeUser`. */
  readonly name: string;
  readonly value: bigint;
}

/** A number as it stands in a source: digits, signs and brackets, nothing that could do anything. */
function numberIn(expression: string): bigint | undefined {
  const text = expression.replaceAll('_', '').trim();
  if (!/^[0-9a-fxn|&<>()~ -]+$/i.test(text) || !/\d/.test(text)) return undefined;
  // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval -- only what the expression above lets through
  const value: unknown = new Function(`return ${text}`)();
  return typeof value === 'bigint' ? value : BigInt(value as number);
}

/** Top-level constants whose names are not of this project's style, which begins with a small letter. */
export function constants(): readonly Constant[] {
  const found: Constant[] = [];
  for (const [file, text] of sources) {
    for (const [, name = '', expression = ''] of text.matchAll(/^(?:export )?const ([A-Z]\w*)(?:: number)? = ([^;]+);/gm)) {
      const value = numberIn(expression);
      if (value !== undefined) found.push({ file, name, value });
    }
  }
  return found;
}

export interface NamedGuid {
  readonly file: string;
  readonly name: string;
  readonly text: string;
  /** The number behind it in a property key. */
  readonly id?: number;
}

/** `const GUID_X = guidBytes('…')` and `const DEVPKEY_X = key('…', 2)`. */
export function guids(): readonly NamedGuid[] {
  const found: NamedGuid[] = [];
  for (const [file, source] of sources) {
    for (const [, name = '', text = '', id] of source.matchAll(/^(?:export )?const (\w+) = \w+\('\{?([0-9a-fA-F-]{36})\}?'(?:, (\d+))?\);/gm)) {
      found.push({ file, name, text: text.toLowerCase(), ...(id === undefined ? {} : { id: Number(id) }) });
    }
  }
  return found;
}

// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { harmlessJson } from '../../core/errors/harmless-text.ts';

/** JSON text of what an agent answered: integers exact, maps as objects, bytes as base64, nothing in it that a terminal obeys. */
export const jsonText = (value: unknown): string => harmlessJson(textOf(value, 0));

function textOf(value: unknown, indent: number): string {
  const inner = indent + 2;
  const pad = '\n' + ' '.repeat(inner);
  const end = '\n' + ' '.repeat(indent);
  if (typeof value === 'bigint') return value.toString();
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString('base64'));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  if (Array.isArray(value)) {
    return value.length === 0 ? '[]' : `[${value.map((one) => pad + textOf(one, inner)).join(',')}${end}]`;
  }
  const members: [string, unknown][] = value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value);
  const there = members.filter(([, one]) => one !== undefined);
  if (there.length === 0) return '{}';
  return `{${there.map(([name, one]) => `${pad}${JSON.stringify(name)}: ${textOf(one, inner)}`).join(',')}${end}}`;
}

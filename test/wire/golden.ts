// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

/** A reply line without its line feed, latin-1 (`ÿ` is the sentinel); a long one by what tells it apart. */
export type GoldenLine =
  | string
  | { readonly head?: string; readonly len?: number; readonly sha256?: string; readonly tail?: string };

/** One recorded exchange with qemu-ga 11.1 (see golden-11.1/README.md). */
export interface GoldenExchange {
  readonly group: string;
  readonly name: string;
  /** The bytes to send; empty where `argv` is what was recorded. */
  readonly request: Buffer;
  /** Command line of a recording of group `cli` or `lifecycle`. */
  readonly argv: readonly string[] | undefined;
  readonly responses: readonly GoldenLine[];
  /** What came back for `goldenPing` sent afterwards; undefined: not recorded. */
  readonly after_ping: readonly GoldenLine[] | undefined;
  /** What came back for `goldenSync(exchange)` sent after that. */
  readonly after_sync: readonly GoldenLine[] | undefined;
  readonly note: string;
}

interface GoldenRecord extends Omit<GoldenExchange, 'request' | 'argv'> {
  readonly enc: 'utf8' | 'base64' | 'zlib+base64' | 'pyexpr' | 'json';
  readonly request: string | readonly string[];
}

/** The newest release that was recorded is what the agent is held against; earlier ones are history. */
const NEWEST = '11.1';

const folder = (release: string): URL => new URL(`golden-${release}/`, import.meta.url);

const pythonEscapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0' };

function pythonBytes(literal: string): Buffer {
  const text = literal.replace(/\\(?:x([0-9a-fA-F]{2})|([\s\S]))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (pythonEscapes[letter] ?? letter) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(text, 'latin1');
}

/**
 * Bytes of a Python expression of the forms that occur: byte literals, `+` between them, `*` and a count, and a count
 * may be a number or `(number<<number)`.
 */
export function pythonExpression(source: string): Buffer {
  const term = /\s*b(?:'((?:[^'\\]|\\[\s\S])*)'|"((?:[^"\\]|\\[\s\S])*)")\s*(?:\*\s*(?:\(\s*(\d+)\s*<<\s*(\d+)\s*\)|(\d+)))?\s*(\+|$)/y;
  const parts: Buffer[] = [];
  while (term.lastIndex < source.length) {
    const at = term.lastIndex;
    const match = term.exec(source);
    if (match === null) throw new Error(`cannot read this expression from character ${at} on: ${source.slice(at, at + 40)}`);
    const [, single, double, base, shift, plain] = match;
    const unit = pythonBytes(single ?? double ?? '');
    const count = base === undefined ? Number(plain ?? 1) : Number(base) * 2 ** Number(shift);
    parts.push(unit.length === 0 ? unit : Buffer.alloc(unit.length * count, unit));
  }
  return Buffer.concat(parts);
}

function requestBytes({ enc, request }: GoldenRecord, dir: string | undefined): Buffer {
  if (typeof request !== 'string' || enc === 'json') return Buffer.alloc(0);
  if (enc === 'utf8') return Buffer.from(dir === undefined ? request : request.replaceAll('{dir}', dir));
  if (enc === 'base64') return Buffer.from(request, 'base64');
  if (enc === 'pyexpr') return pythonExpression(request);
  return inflateSync(Buffer.from(request, 'base64'));
}

/** `dir` in place of `{dir}` in everything that was recorded. */
function inDirectory<T>(value: T, dir: string | undefined): T {
  return dir === undefined || value === undefined ? value : (JSON.parse(JSON.stringify(value).replaceAll('{dir}', JSON.stringify(dir).slice(1, -1))) as T);
}

/** The groups that there are: `args`, `cli`, `commands` … */
export const goldenGroups = (): string[] =>
  readdirSync(folder(NEWEST))
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => name.slice(0, -'.jsonl'.length))
    .toSorted();

/** The exchanges of a group, in the order in which they were recorded; `dir` stands in for `{dir}`. */
export function loadGolden(group: string, options: { readonly dir?: string; readonly release?: string } = {}): GoldenExchange[] {
  const lines = readFileSync(new URL(`${group}.jsonl`, folder(options.release ?? NEWEST)), 'utf8').split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const record = JSON.parse(line) as GoldenRecord;
    return {
      group: record.group,
      name: record.name,
      request: requestBytes(record, options.dir),
      argv: typeof record.request === 'string' ? undefined : inDirectory(record.request, options.dir),
      responses: inDirectory(record.responses, options.dir),
      after_ping: inDirectory(record.after_ping, options.dir),
      after_sync: inDirectory(record.after_sync, options.dir),
      note: record.note,
    };
  });
}

/** Whether a reply line (with or without its line feed) is the one recorded. */
export function matches(actual: Buffer, expected: GoldenLine): boolean {
  const line = actual.at(-1) === 0x0a ? actual.subarray(0, -1) : actual;
  if (typeof expected === 'string') return line.toString('latin1') === expected;
  return (
    (expected.len === undefined || line.length === expected.len) &&
    (expected.head === undefined || line.toString('latin1', 0, expected.head.length) === expected.head) &&
    (expected.tail === undefined || line.toString('latin1', line.length - expected.tail.length) === expected.tail) &&
    (expected.sha256 === undefined || createHash('sha256').update(line).digest('hex') === expected.sha256)
  );
}

/** What was sent for `after_ping`. */
export const goldenPing = Buffer.from('{"execute":"guest-ping"}\n');

/** What was sent for `after_sync`: the sentinel and a guest-sync-delimited with the id of the recorded reply. */
export function goldenSync(exchange: GoldenExchange): Buffer {
  const last = exchange.after_sync?.at(-1);
  const id = typeof last === 'string' ? (/"return": (-?\d+)/.exec(last)?.[1] ?? '1') : '1';
  const request = `{"execute":"guest-sync-delimited","arguments":{"id":${id}}}\n`;
  return Buffer.concat([Buffer.from([0xff]), Buffer.from(request)]);
}

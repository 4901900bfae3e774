// SPDX-License-Identifier: Apache-2.0
import { Base64Text } from './base64-text.ts';
import { isNoncharacter } from './modified-utf8.ts';
import { isJsonObject, type JsonValue } from './value.ts';

const needsEscape = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
const escapes = /[^\x20\x21\x23-\x5b\x5d-\x7e]/gu;

const shortForms: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

const unit = (code: number): string => `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`;

function escapeCharacter(character: string): string {
  const short = shortForms[character];
  if (short !== undefined) return short;
  const codePoint = character.codePointAt(0) as number;
  if ((codePoint >= 0xd800 && codePoint <= 0xdfff) || isNoncharacter(codePoint)) return '\\uFFFD';
  return character.length === 1 ? unit(codePoint) : unit(character.charCodeAt(0)) + unit(character.charCodeAt(1));
}

/**
 * A JSON string of printable ASCII only, upper-case `\uXXXX` for the rest (DEL included).
 *
 * Lone surrogates (file names, Windows registry text) and noncharacters become U+FFFD: a peer with QEMU's parser
 * refuses the whole reply otherwise.
 */
export const jsonString = (text: string): string =>
  needsEscape.test(text) ? `"${text.replace(escapes, escapeCharacter)}"` : `"${text}"`;

/** Significant digits that tell any two doubles apart. */
const DIGITS = 17;

/** Decimal digits and exponent of a finite double above zero, rounded as C does: to nearest, a tie to even. */
function decimal(value: number): { digits: string; exponent: number } {
  // Sixty digits decide every case: a double that lies on a tie at the 17th digit has just one digit more.
  const [mantissa = '', exponentText = '0'] = value.toExponential(60).split('e');
  const all = mantissa.replace('.', '');
  const rest = all.slice(DIGITS);
  const half = `5${'0'.repeat(rest.length - 1)}`;
  const kept = BigInt(all.slice(0, DIGITS));
  const up = rest > half || (rest === half && (kept & 1n) === 1n);
  const digits = (up ? kept + 1n : kept).toString();
  return { digits: digits.slice(0, DIGITS), exponent: Number(exponentText) + digits.length - DIGITS };
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return `${sign}inf`;
  if (magnitude === 0) return `${sign}0`;
  // Without a 5 for its 18th digit it is no tie, and JavaScript rounds as C does.
  if (magnitude >= 1e-4 && magnitude < 1e16 && !magnitude.toPrecision(DIGITS + 1).endsWith('5')) {
    return sign + magnitude.toPrecision(DIGITS).replace(/\.?0+$/, '');
  }

  const { digits, exponent } = decimal(magnitude);
  if (exponent < -4 || exponent >= DIGITS) {
    const [first, rest] = [digits.slice(0, 1), digits.slice(1).replace(/0+$/, '')];
    const power = `${exponent < 0 ? '-' : '+'}${Math.abs(exponent).toString().padStart(2, '0')}`;
    return `${sign}${first}${rest === '' ? '' : `.${rest}`}e${power}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits.replace(/0+$/, '')}`;
  const fraction = digits.slice(exponent + 1).replace(/0+$/, '');
  return `${sign}${digits.slice(0, exponent + 1)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A `bigint` in plain decimal, a `number` as C's `%.17g` prints it (`3`, `0.10000000000000001`, `1e+20`, `inf`). */
export const jsonNumber = (value: number | bigint): string =>
  typeof value === 'bigint' ? value.toString() : doubleText(value);

/** A value as the agent prints it: `, ` and `: ` between, members in their own order. */
export function jsonText(value: JsonValue): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'string') return jsonString(value);
  if (value instanceof Base64Text) return jsonString(value.toString());
  if (typeof value === 'bigint' || typeof value === 'number') return jsonNumber(value);
  if (isJsonObject(value)) {
    return `{${[...value].map(([key, member]) => `${jsonString(key)}: ${jsonText(member)}`).join(', ')}}`;
  }
  return `[${value.map(jsonText).join(', ')}]`;
}

// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decodeBase64 } from '../../../core/commands/base64.ts';
import { Base64Text, forgetSpare } from '../../../core/protocol/base64-text.ts';
import type { Decoded } from '../../../core/protocol/json-decoder.ts';
import { JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { isJsonObject, type JsonValue } from '../../../core/protocol/value.ts';
import { bytesOf, decodeAll } from './decoding.ts';
import { seed } from './hostile.ts';

const telling = (): JsonDecoder => new JsonDecoder({ base64Members: new Set(['data']) });
const decodeIn = (text: string, sizes?: readonly number[]): Decoded[] => decodeAll(bytesOf(text), sizes, telling());
const request = (data: string): string => `{"data": "${data}", "after": 1}`;

function member(decoded: readonly Decoded[]): JsonValue | undefined {
  const [first] = decoded;
  return first?.kind === 'value' && isJsonObject(first.value) ? first.value.get('data') : undefined;
}

/** The same with every text of base64 as the text that it is. */
const asText = (decoded: readonly Decoded[]): unknown =>
  decoded.map((one) => (one.kind === 'error' || !isJsonObject(one.value)
    ? one
    : { ...one, value: [...one.value].map(([name, value]) => [name, value instanceof Base64Text ? value.toString() : value]) }));

const plain = (text: string, sizes?: readonly number[]): unknown => asText(decodeAll(bytesOf(text), sizes));

const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 7919) >> 3));

it('leaves memory to the garbage collector where it cannot be given back', () => {
  const transfer = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'transfer')!;
  const piece = member(decodeIn(request(bytes.toString('base64')))) as Base64Text;
  piece.release();
  Reflect.deleteProperty(ArrayBuffer.prototype, 'transfer');
  try {
    expect(() => forgetSpare()).not.toThrow();
  } finally {
    Reflect.defineProperty(ArrayBuffer.prototype, 'transfer', transfer);
  }
});

describe('a long string of base64 where it is expected', () => {
  it.each([0, 1, 2])('is its bytes, with %i characters of padding', (padding) => {
    const data = bytes.subarray(0, 9000 - padding);

    const value = member(decodeIn(request(data.toString('base64'))));

    expect(value).toBeInstanceOf(Base64Text);
    expect(Buffer.from(decodeBase64(value as Base64Text)).equals(data)).toBe(true);
  });

  it('is its bytes however it is cut, in megabytes as well', () => {
    const data = Buffer.concat(Array.from({ length: 300 }, () => bytes));
    const text = request(data.toString('base64'));

    for (const size of [65_536, 99_999, 131_072, 1_000_003]) {
      const value = member(decodeIn(text, [size]));

      expect(value).toBeInstanceOf(Base64Text);
      expect(Buffer.from(decodeBase64(value as Base64Text)).equals(data)).toBe(true);
    }
  });

  it('is its bytes however little of it comes with what stands before it', () => {
    const text = request(bytes.toString('base64'));
    const start = text.indexOf(bytes.toString('base64', 0, 30));

    for (const first of [start - 1, start, start + 1, start + 5]) {
      const value = member(decodeIn(text, [first, text.length - first]));

      expect(value).toBeInstanceOf(Base64Text);
      expect(Buffer.from(decodeBase64(value as Base64Text)).equals(bytes)).toBe(true);
    }
  });

  it('is its bytes where it is cut around the end of the first piece of memory', () => {
    const data = Buffer.concat(Array.from({ length: 20 }, () => bytes));
    const text = request(data.toString('base64'));
    const end = text.indexOf('"', 8) + 1 + (96 * 1024 * 4) / 3;

    for (let cut = end - 8; cut <= end + 8; cut += 1) {
      for (const next of [1, 5, 100_000]) {
        const value = member(decodeIn(text, [cut, next, 100_000]));

        expect(Buffer.from(decodeBase64(value as Base64Text)).equals(data)).toBe(true);
      }
    }
  });

  it('is its text after all where that shows after several pieces of memory', () => {
    const text = `${Buffer.concat(Array.from({ length: 40 }, () => bytes)).toString('base64')}AAAA-AAA`;

    expect(member(decodeIn(request(text), [65_536]))).toBe(text);
  });

  it('is its bytes where it is so short that it lies in its end alone', () => {
    expect(Buffer.from(decodeBase64(new Base64Text([], 0, 'QUJDRA=='))).toString()).toBe('ABCD');
  });

  it('is a string like others elsewhere, and where it is short', () => {
    const long = bytes.toString('base64');

    expect(decodeIn(`{"other": "${long}"}`)).toEqual(decodeAll(bytesOf(`{"other": "${long}"}`)));
    expect(member(decodeIn(request('QUJD')))).toBe('QUJD');
  });

  it('is told at its end where its name was there before, in whatever pieces, and the rest of the value is passed over', () => {
    const data = bytes.toString('base64');
    for (const sizes of [undefined, [4096], [7]]) {
      expect(decodeIn(`{"data":"","data":"${data}" "x"}{"a":1}`, sizes).map(({ kind }) => kind)).toEqual(['error', 'value']);
    }
  });

  it('is repeated as it was sent within an id', () => {
    const text = `{"id": {"data": "${bytes.toString('base64')}"}}`;

    expect(decodeIn(text)).toEqual(decodeAll(bytesOf(text)));
  });

  it.each([
    ['of the URL-safe alphabet', (text: string) => text.replace(/[+/]/g, '-')],
    ['with line feeds as escapes', (text: string) => text.replace(/.{76}/g, '$&\\n')],
    ['with padding in the middle', (text: string) => `${text.slice(0, 4000)}AA==${text.slice(4000)}`],
    ['with an escape at the very end', (text: string) => `${text}\\u0041`],
    ['with a character beyond ASCII', (text: string) => `${text.slice(0, 6000)}\xc3\xa9${text.slice(6000)}`],
    ['with a control byte', (text: string) => `${text.slice(0, 6001)}\x01${text.slice(6001)}`],
    ['with a byte that no text has', (text: string) => `${text}\xfe`],
    ['without an end', (text: string) => `${text}\n`],
    ['with one character too many', (text: string) => `${text}A`],
    ['with a quote of the other kind', (text: string) => `${text.slice(0, 5000)}'${text.slice(5000)}`],
  ])('%s is what it is to any other decoder, however it is cut', (_what, change) => {
    const text = request(change(bytes.toString('base64')));

    for (const sizes of [[text.length], [2000], [1500, 7, 1, 1, 1, 3000], [4096, 1]]) {
      expect(asText(decodeIn(text, sizes))).toEqual(plain(text));
    }
  });

  it(`is never anything but its text (CONCIERGE_SEED=${seed})`, () => {
    const piece = fc.oneof(
      { weight: 5, arbitrary: fc.stringMatching(/^[A-Za-z0-9+/]{0,40}$/) },
      fc.constantFrom('=', '==', '\\n', '-', '_', ' ', '\\"', "'", 'é', '\\u0000', '"', '\x02'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.nat(3), fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 8 }), (pieces, extra, sizes) => {
        const text = request(bytes.toString('base64', 0, 3000).slice(0, 4000 - extra) + pieces.join(''));
        const raw = Buffer.from(text, 'utf8').toString('latin1');

        expect(asText(decodeIn(raw, sizes))).toEqual(plain(raw));
      }),
      { seed, numRuns: 500 },
    );
  });

  it('too long for a value is refused at the same place as any other', () => {
    const text = Buffer.alloc(64 * 1024 * 1024 + 4096, 'A');
    const input = Buffer.concat([Buffer.from('{"data": "'), text, Buffer.from('"}\n{"data": "x"}')]);

    const decoded = decodeAll(input, [1024 * 1024], telling());

    expect(asText(decoded)).toEqual(asText(decodeAll(input, [1024 * 1024])));
    expect(decoded).toHaveLength(2);
  });
});

describe('the bytes of such a text', () => {
  it('are gone after its release, and the memory serves the next', () => {
    const first = member(decodeIn(request(bytes.toString('base64')))) as Base64Text;
    first.release();
    const second = member(decodeIn(request(Buffer.alloc(9000, 'second').toString('base64')))) as Base64Text;

    expect(first.toString()).toBe(first.tail);
    expect(Buffer.from(decodeBase64(second)).equals(Buffer.alloc(9000, 'second'))).toBe(true);
  });

  const decoded = (size: number): { readonly text: Base64Text; readonly memory: readonly ArrayBufferLike[] } => {
    const text = member(decodeIn(request(Buffer.alloc(size, `${size}`).toString('base64')))) as Base64Text;
    const pieces = text.bytesWith(new Uint8Array(0));
    return { text, memory: pieces.map(({ buffer }) => buffer) };
  };

  it('of a long text lie where those of the one before lay, and texts that are there at the same time have each their own', () => {
    const first = decoded(1_500_000);
    const beside = decoded(1_500_000);
    first.text.release();
    const second = decoded(1_500_001);

    expect(new Set(second.memory)).toEqual(new Set(first.memory));
    expect(beside.memory.filter((one) => first.memory.includes(one))).toEqual([]);
    beside.text.release();
    second.text.release();
  });

  it('take no memory of what is kept once that was forgotten, nor is more kept than a text of a copy needs', () => {
    const [first, beside] = [decoded(1_500_000), decoded(1_500_000)];
    first.text.release();
    beside.text.release();

    const isKept = ({ byteLength }: ArrayBufferLike): boolean => byteLength > 0;
    expect(first.memory.every(isKept)).toBe(true);
    expect(beside.memory.every(isKept)).toBe(false);

    forgetSpare();
    expect([...first.memory, ...beside.memory].some(isKept)).toBe(false);
  });
});

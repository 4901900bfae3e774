// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { InputBudget } from '../../../core/protocol/input-budget.ts';
import { JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { protocolLimits } from '../../../core/protocol/limits.ts';
import { bytesOf, decodeAll, outcome, outcomes } from './decoding.ts';

const kinds = (bytes: Buffer, size = 65_536): string[] =>
  decodeAll(bytes, [size]).map((decoded) => (decoded.kind === 'error' ? decoded.desc : 'value'));

describe('nesting', () => {
  it('1024 brackets are accepted, in any mixture', () => {
    expect(kinds(bytesOf('['.repeat(1024) + ']'.repeat(1024)))).toEqual(['value']);
    expect(kinds(bytesOf('{"a":['.repeat(512) + ']}'.repeat(512)))).toEqual(['value']);
  });

  it('1025 are one error, and the next request is answered', () => {
    const text = `${'['.repeat(1025)}"]}" ${']'.repeat(1025)}{"a":1}`;

    expect(outcomes(text)).toEqual(['! JSON nesting depth limit exceeded', '{"a": 1}']);
  });

  it.each(['\n', '\xff', '\xfe'])('an oversized value that never closes ends at %j within a string', (end) => {
    expect(outcomes(`${'['.repeat(2000)}"abc${end}{"a":1}`)).toEqual(['! JSON nesting depth limit exceeded', '{"a": 1}']);
  });

  it('the 0xFF that ends an oversized value is not answered, the next one is', () => {
    expect(outcomes(`${'['.repeat(1025)}\n\xff\xff`)).toEqual(['! JSON nesting depth limit exceeded', "! stray '\ufffd'"]);
  });

  it('a line feed between tokens does not end an oversized value', () => {
    expect(outcomes(`${'['.repeat(1025)}\n{"a":1}${']'.repeat(1025)}\n{"b":1}`)).toEqual(['! JSON nesting depth limit exceeded', '{"b": 1}']);
  });
});

describe('tokens', () => {
  const list = (elements: number): Buffer => Buffer.from(`[${'0,'.repeat(elements - 1)}0]`);

  // A list of n elements has 2n + 1 tokens; no well-formed value has an even number.
  it('a value of 2097151 tokens is accepted, one of 2097153 is one error', () => {
    expect(kinds(list(1_048_575))).toEqual(['value']);
    expect(kinds(Buffer.concat([list(1_048_576), Buffer.from('{"a":1}')]))).toEqual(['JSON token count limit exceeded', 'value']);
  });
});

describe('token text', () => {
  /** A list with one string, `bytes` bytes of token text in all. */
  const sized = (bytes: number, unit = 'a'): Buffer =>
    Buffer.concat([Buffer.from('["'), Buffer.alloc(bytes - 4, unit), Buffer.from('"]')]);

  it('64 MiB are accepted, quotes and brackets counted, and white space not', () => {
    const padded = Buffer.concat([Buffer.alloc(1000, ' '), sized(protocolLimits.tokenBytes)]);

    expect(kinds(padded, padded.length)).toEqual(['value']);
    expect(kinds(padded)).toEqual(['value']);
  });

  it('one byte more is one error, in whatever chunks it comes', () => {
    const after = Buffer.concat([sized(protocolLimits.tokenBytes + 1), Buffer.from('{"a":1}')]);

    for (const size of [after.length, 65_536, 4_099]) expect(kinds(after, size)).toEqual(['JSON token size limit exceeded', 'value']);
  });

  it('a string far beyond it is passed over to its end, escaped quotes and brackets included', () => {
    const beyond = Buffer.alloc(100_000, 'aa\\"]');
    const after = Buffer.concat([Buffer.from('["'), Buffer.alloc(protocolLimits.tokenBytes, 'a'), beyond, Buffer.from('"]{"a":1}')]);

    expect(kinds(after)).toEqual(['JSON token size limit exceeded', 'value']);
  });

  it('holds for numbers and words too', () => {
    for (const unit of ['7', 'x']) {
      const bytes = Buffer.concat([sized(protocolLimits.tokenBytes - 100).subarray(0, -1), Buffer.from(`,${unit.repeat(100_000)}] {"a":1}`)]);
      for (const size of [bytes.length, 65_536]) expect(kinds(bytes, size)).toEqual(['JSON token size limit exceeded', 'value']);
    }
  });

  it('of a lone number or word is passed over to where it ends', () => {
    for (const unit of ['7', 'x']) {
      const decoder = new JsonDecoder();
      decoder.feed(Buffer.from(unit.repeat(2000)));
      decoder.next();

      decoder.refuse();

      expect(decodeAll(bytesOf(`${unit.repeat(2000)} {"a": 1}`), [777], decoder).map(outcome)).toEqual(['{"a": 1}']);
    }
  });

  it('bounds what an unfinished value holds', () => {
    const decoder = new JsonDecoder();
    const chunk = Buffer.alloc(1 << 20, 'a');
    decoder.feed(Buffer.from('{"a":"'));
    decoder.next();

    const errors: string[] = [];
    let most = 0;
    for (let i = 0; i < 80; i += 1) {
      decoder.feed(chunk);
      for (let decoded = decoder.next(); decoded !== undefined; decoded = decoder.next()) errors.push(outcome(decoded));
      most = Math.max(most, decoder.pendingBytes);
    }

    expect(errors).toEqual(['! JSON token size limit exceeded']);
    expect(most).toBeLessThanOrEqual(protocolLimits.tokenBytes);
    expect(decoder.pendingBytes).toBe(0);
  });
});

describe('an id', () => {
  it('of a mebibyte as it is sent back is echoed, a longer one is an error, and the next request is answered', () => {
    const most = 'x'.repeat(protocolLimits.idText - 2);

    expect(decodeAll(bytesOf(`{"id": "${most}"}`))).toMatchObject([{ kind: 'value', idText: `"${most}"` }]);
    expect(outcomes(`{"id": "${most}x"}[1]`)).toEqual(['! id is too long', '[1]']);
    expect(outcomes(`{"id": "${most}xxx"}[1]`)).toEqual(['! id is too long', '[1]']);
    expect(outcomes(`{"id": [${'1, '.repeat(protocolLimits.idText / 3)}1], "a": 1}[2]`)).toEqual(['! id is too long', '[2]']);
    expect(outcomes(`{"id": "${'\x7f'.repeat(protocolLimits.idText / 4)}"}[3]`)).toEqual(['! id is too long', '[3]']);
  });

  it('that is too long hides no error behind it', () => {
    expect(outcomes(`{"id": "${'x'.repeat(protocolLimits.idText)}", "a" 1}[1]`)).toEqual(["! expecting ':'", '[1]']);
  });
});

describe('the budget of all hosts', () => {
  it('has room for the heaviest single request, and for what is given back', () => {
    const budget = new InputBudget();
    const heaviest = protocolLimits.tokenBytes + protocolLimits.tokens * protocolLimits.tokenWeight;

    expect(budget.change(0, heaviest)).toBe(true);
    expect(budget.change(0, 1)).toBe(false);
    expect(budget.change(heaviest, 0)).toBe(true);
    expect(budget.change(0, 1)).toBe(true);
  });

  it('weighs a value that grows, lets small ones be, and gives one up that is refused', () => {
    const decoder = new JsonDecoder();
    decoder.feed(Buffer.from(`["${'x'.repeat(1000)}`));
    decoder.next();
    const small = decoder.weight;
    decoder.feed(Buffer.from('x'.repeat(2 * protocolLimits.freeWeight)));
    decoder.next();

    expect([small, decoder.weight > 2 * protocolLimits.freeWeight]).toEqual([0, true]);
    expect(decoder.refuse()).toEqual({ kind: 'error', desc: 'JSON token size limit exceeded' });
    expect(decoder.weight).toBe(0);
    decoder.feed(Buffer.from('", [1], 2]{"a": 1}'));
    expect(decoder.next()).toMatchObject({ kind: 'value' });
    expect(decoder.next()).toBeUndefined();
  });

  it('gives up a lone string to its closing quote', () => {
    const decoder = new JsonDecoder();
    decoder.feed(Buffer.from(`"${'x'.repeat(2000)}`));
    decoder.next();

    decoder.refuse();

    expect(decodeAll(bytesOf('x\\"x" {"a": 1}'), undefined, decoder).map(outcome)).toEqual(['{"a": 1}']);
  });
});

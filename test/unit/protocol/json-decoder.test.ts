// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { bytesOf, decodeAll, outcome, outcomes, placed } from './decoding.ts';

describe('framing', () => {
  it('gives a value as soon as its brackets balance, without a terminator', () => {
    expect(outcomes('{"execute":"guest-ping"}')).toEqual(['{"execute": "guest-ping"}']);
  });

  it('gives several values of one chunk one after the other', () => {
    expect(outcomes('{"a":1}[2]"x" true\n')).toEqual(['{"a": 1}', '[2]', '"x"', 'true']);
  });

  it('waits for the byte that ends a bare number or word', () => {
    const decoder = new JsonDecoder();

    expect(decodeAll(bytesOf('12'), [2], decoder)).toEqual([]);
    expect(decodeAll(bytesOf('3\n'), [2], decoder)).toEqual([{ kind: 'value', value: 123n, idText: undefined }]);
  });

  it('does not look at a request before the one in front of it was taken', () => {
    const decoder = new JsonDecoder();
    decoder.feed(bytesOf('{"a":1} \xff'));

    decoder.next();

    expect(decoder.pendingBytes).toBe(2);
  });

  it('takes chunks that come before earlier ones were read', () => {
    const decoder = new JsonDecoder();
    for (const text of ['{"a"', ':', '1}', '{', '}']) decoder.feed(bytesOf(text));

    expect([decoder.next(), decoder.next(), decoder.next()].map((decoded) => decoded?.kind)).toEqual(['value', 'value', undefined]);
  });

  it('gives the memory of unread chunks back when told to', () => {
    const decoder = new JsonDecoder();
    const chunks = ['{"a":1}{"b":', '2}{"c"', ':3}'].map(bytesOf);
    for (const chunk of chunks) decoder.feed(chunk);

    const decoded = [decoder.next()];
    decoder.retain();
    for (const chunk of chunks) chunk.fill(0xff);
    decoded.push(decoder.next());
    decoder.feed(bytesOf('[4]'));
    decoder.retain();
    decoded.push(decoder.next(), decoder.next(), decoder.next());

    expect(decoded.map((each) => each && outcome(each))).toEqual(['{"a": 1}', '{"b": 2}', '{"c": 3}', '[4]', undefined]);
  });

  it('forgets half a request when the connection changed hands', () => {
    const decoder = new JsonDecoder();
    decodeAll(bytesOf('{"execute":"guest-pi'), [20], decoder);

    decoder.reset();

    expect(decoder.pendingBytes).toBe(0);
    expect(decodeAll(bytesOf('{"a":1}'), [7], decoder)).toHaveLength(1);
  });

  it('takes a plain Uint8Array', () => {
    expect(decodeAll(Uint8Array.from(bytesOf('[1]')))).toHaveLength(1);
  });
});

describe('strings', () => {
  it.each([
    ['single quotes, with a double quote inside', String.raw`'a"b'`, 'a"b'],
    ['an escaped apostrophe in either kind', String.raw`"it\'s"`, "it's"],
    ['all escapes of one letter', String.raw`"\"\'\\\/\b\f\n\r\t"`, '"\'\\/\b\f\n\r\t'],
    ['a raw DEL', '"\x7f"', '\x7f'],
    ['raw UTF-8', '"caf\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80"', 'café ☃ 😀'],
    ['C0 80 as U+0000', '"a\xc0\x80b"', 'a\0b'],
    ['an escaped U+0000', String.raw`"a\u0000b"`, 'a\0b'],
    ['a pair of escaped surrogates', String.raw`"\uD83D\ude00"`, '😀'],
    ['a percent sign', '"%s %p"', '%s %p'],
    ['nothing', '""', ''],
  ])('accept %s', (_, text, value) => {
    expect(decodeAll(bytesOf(text))).toEqual([{ kind: 'value', value, idText: undefined }]);
  });

  it.each([
    ['an unknown escape', String.raw`"\x41"`, 'invalid escape sequence in string'],
    ['a short \\u, shown with the closing quote', String.raw`"\u12"`, String.raw`\u12" is not a valid Unicode character`],
    ['an empty \\u', String.raw`"\u"`, String.raw`\u" is not a valid Unicode character`],
    ['a \\u without digits', String.raw`"\uzzzz"`, String.raw`\uzzzz is not a valid Unicode character`],
    ['a lone high surrogate', String.raw`"\ud83dx"`, String.raw`\ud83d is not a valid Unicode character`],
    ['a high surrogate with a wrong partner', String.raw`"\ud83d\u0041"`, String.raw`\ud83d is not a valid Unicode character`],
    ['a lone low surrogate', String.raw`"\ude00"`, String.raw`\ude00 is not a valid Unicode character`],
    ['an escaped noncharacter', String.raw`"\ufdd0"`, String.raw`\ufdd0 is not a valid Unicode character`],
    ['a noncharacter as a pair', String.raw`"\ud83f\udfff"`, String.raw`\ud83f\udfff is not a valid Unicode character`],
    ['a raw noncharacter', '"\xef\xbf\xbe"', 'invalid UTF-8 sequence in string'],
    ['an overlong form', '"\xe0\x80\xaf"', 'invalid UTF-8 sequence in string'],
    ['a raw surrogate', '"\xed\xa0\x80"', 'invalid UTF-8 sequence in string'],
    ['a value above U+10FFFF', '"\xf4\x90\x80\x80"', 'invalid UTF-8 sequence in string'],
    ['a sequence of five bytes', '"\xf8\x88\x80\x80\x80"', 'invalid UTF-8 sequence in string'],
    ['a sequence of six bytes', '"\xfc\x84\x80\x80\x80\x80"', 'invalid UTF-8 sequence in string'],
    ['a sequence that a letter breaks off', '"\xc3a"', 'invalid UTF-8 sequence in string'],
    ['a sequence cut by the closing quote', '"\xe2\x98"', 'invalid UTF-8 sequence in string'],
    ['a continuation byte alone', '"\x80"', 'invalid UTF-8 sequence in string'],
    ['the first of two errors', '"\x80\\x"', 'invalid UTF-8 sequence in string'],
    ['an error in a key', String.raw`{"\x":1}`, 'invalid escape sequence in string'],
  ])('refuse %s', (_, text, error) => {
    expect(outcomes(text)).toEqual([`! ${error}`]);
  });

  it('are whole and equal when long, escaped and in pieces', () => {
    const value = `${'QUJD/+'.repeat(20_000)}é\u0000😀"${'x'.repeat(100_000)}`;
    const text = Buffer.from(`{"a":${JSON.stringify(value).replaceAll('/', '\\/')}}`);

    for (const size of [text.length, 65_536, 4_097, 13]) {
      const [decoded] = decodeAll(text, [size]);
      expect(decoded?.kind === 'value' && decoded.value instanceof Map && decoded.value.get('a') === value).toBe(true);
    }
  });
});

describe('numbers', () => {
  it.each([
    ['0', 0n],
    ['-0', 0n],
    ['-5', -5n],
    ['999999999999999', 999999999999999n],
    ['-1234567890123456', -1234567890123456n],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['18446744073709551615', 18446744073709551615n],
    ['18446744073709551616', 2 ** 64],
    ['-9223372036854775809', -(2 ** 63)],
    ['1.0', 1],
    ['1e3', 1000],
    ['1E+3', 1000],
    ['1.5e3', 1500],
    ['2.5E-1', 0.25],
    ['-0.0', -0],
    ['1e400', Infinity],
    ['9'.repeat(400), Infinity],
  ])('%s is exact where 64 bits hold it, and a double elsewhere', (text, value) => {
    expect(decodeAll(bytesOf(`${text} `))).toEqual([{ kind: 'value', value, idText: undefined }]);
  });

  it.each([
    ['01\n', '01'],
    ['-01 ', '-01'],
    ['00\n', '00'],
    ['-00\n', '-00'],
    ['007\n', '00'],
    ['[1, 09', '09'],
    ['{"a": 01', '01'],
  ])('%s: a leading zero and the digit behind it are one stray token, in whatever chunks', (text, token) => {
    for (const sizes of [undefined, [1]]) expect(decodeAll(bytesOf(text), sizes).map(outcome)).toEqual([`! stray '${token}'`]);
  });

  it.each(['[0e1]', '[0x10]'])('%s: what is no digit ends a lone zero', (text) => {
    expect(outcomes(text)).toEqual(["! expected ',' or ']'"]);
  });

  it.each([
    ['[-]', "! stray '-]'"],
    ['[1.]', "! stray '1.]'"],
    ['[1e]', "! stray '1e]'"],
    ['[1e+ ', "! stray '1e+ '"],
    ['+1\n', "! stray '+'"],
    ['.5\n', "! stray '.'"],
  ])('%s: a number that breaks off is a lexical error', (text, expected) => {
    expect(outcomes(text)).toEqual([expected]);
  });
});

describe('grammar errors', () => {
  it.each([
    ['}', 'expecting value'],
    ['{]', 'expecting key'],
    [',', 'expecting value'],
    ['{"a":}', 'expecting value'],
    ['{"a":1,}', 'expecting key'],
    ['[1,]', 'expecting value'],
    ['[,1]', 'expecting value'],
    ['{"a" 1}', "expecting ':'"],
    ['{"a"}', "expecting ':'"],
    ['{"a":1 "b":2}', "expected ',' or '}'"],
    ['{"a":1]', "expected ',' or '}'"],
    ['[1 2]', "expected ',' or ']'"],
    ['[1}', "expected ',' or ']'"],
    ['{1:2}', 'expecting key'],
    ['{[1]:2}', 'expecting key'],
    ['{a:2}', 'expecting key'],
    ['{"\\x":1}', 'invalid escape sequence in string'],
    ['{"a":1,"a":2}', 'duplicate key'],
    ['[{"b":{"a":1,"\\u0061":2}}]', 'duplicate key'],
    ['nil ', "invalid keyword 'nil'"],
    ['[1 nil]', "expected ',' or ']'"],
    ['["a" "\\x"]', "expected ',' or ']'"],
  ])('%s is answered once', (text, error) => {
    expect(outcomes(text)).toEqual([`! ${error}`]);
  });

  it('the first one counts, and the value still ends where its brackets balance', () => {
    expect(outcomes('{"a" [{"b":}, nil]} {"c":1}')).toEqual(["! expecting ':'", '{"c": 1}']);
  });

  it('a closing bracket of the other kind keeps a value open as long as a bracket of its own kind is open', () => {
    expect(outcomes('{[}{"a":1}')).toEqual(['! expecting key']);
    expect(outcomes('{[}]{"a":1}')).toEqual(['! expecting key', '{"a": 1}']);
  });

  it('are told at once, and what follows of the value is passed over in silence', () => {
    const decoder = new JsonDecoder();
    const tell = (text: string): string[] => decodeAll(bytesOf(text), [1], decoder).map(outcome);

    expect(tell('{"a": ["b" "c"')).toEqual(["! expected ',' or ']'"]);
    expect(tell(', nul, "\\x", 1.5, -3, {"d": [true')).toEqual([]);
    expect(tell(`${'['.repeat(2000)}${']'.repeat(2000)}`)).toEqual([]);
    expect([tell(']}]}'), tell('{"e":1}')]).toEqual([[], ['{"e": 1}']]);
  });

  it.each(['\xff', '@', '01', '"\n'])('the silence ends with the next lexical error, %j, which is not told either', (stray) => {
    expect(outcomes(`{"a" 1, ${stray}{"b":1}`)).toEqual(["! expecting ':'", '{"b": 1}']);
  });

  it('a long word is cut at 1023 bytes of error text', () => {
    const [decoded] = decodeAll(bytesOf(`${'x'.repeat(5000)} `), [999]);

    expect(decoded).toEqual({ kind: 'error', desc: `1:1: JSON parse error, invalid keyword '${'x'.repeat(1006)}` });
  });
});

describe('the place of an error', () => {
  it.each([
    ['the token that is not as expected', '{"a" 1}', "1:6: expecting ':'"],
    ['its first byte', '{"a": tru}', "1:7: invalid keyword 'tru'"],
    ['the first byte of a token that breaks', '  "ab\t', `1:3: stray '"ab\t'`],
    ['in bytes', '["\xc3\xa4" 1]', "1:7: expected ',' or ']'"],
    ['the value of a duplicate key, at its end', '{"a":1,"a":{"b":"c"}}', '1:20: duplicate key'],
    ['one further to the right behind a number', '[1"a"]', "1:4: expected ',' or ']'"],
    ['and behind a word', '[true"a"]', "1:7: expected ',' or ']'"],
    ['also where it is a word itself', '[0e1]', "1:4: expected ',' or ']'"],
    ['but not where a blank is between', '[1 "a"]', "1:4: expected ',' or ']'"],
    ['the line', '[1,\n\r\n 2 3]', "3:4: expected ',' or ']'"],
    ['the line of a token that begins on it', '\n"ab\n', `2:1: stray '"ab\n'`],
  ])('is %s: %j', (_, text, expected) => {
    for (const sizes of [undefined, [1]]) expect(placed(text, sizes)).toEqual([expected]);
  });

  it('is one further to the right where a recovery ends', () => {
    expect(placed('\xff\xff\xff}\n}')).toEqual(["1:1: stray '\ufffd'", "1:3: stray '\ufffd'", "1:4: stray '\ufffd'", '1:5: expecting value', '2:1: expecting value']);
    expect(placed('\x01 }}')).toEqual(["1:1: stray '\x01'", '1:4: expecting value', '1:4: expecting value']);
  });

  it('is counted over requests and over errors, and in a string that a line feed broke', () => {
    expect(placed('{"a":1}}\n{"b":1}\n"c\n}1}')).toEqual(['1:8: expecting value', `3:1: stray '"c\n'`, '4:2: expecting value', '4:4: expecting value']);
  });

  it('is counted from what came first, whatever was kept meanwhile', () => {
    const decoder = new JsonDecoder();
    decoder.feed(bytesOf('{"a":1} {"b":2}\n{"c":3} '));
    decoder.feed(bytesOf('} '));
    decoder.next();
    decoder.retain();

    expect(decodeAll(bytesOf('}'), undefined, decoder).map((decoded) => (decoded.kind === 'error' ? decoded.desc : ''))).toEqual([
      '', '', '2:9: JSON parse error, expecting value', '2:11: JSON parse error, expecting value',
    ]);
  });

  it('begins anew for another host', () => {
    const decoder = new JsonDecoder();
    decodeAll(bytesOf('{"a":1}\n\n12'), undefined, decoder);

    decoder.reset();

    expect(decodeAll(bytesOf('}'), undefined, decoder)).toEqual([{ kind: 'error', desc: '1:1: JSON parse error, expecting value' }]);
  });
});

describe('lexical errors', () => {
  it('every 0xFF and 0xFE is one error and ends what was unfinished', () => {
    expect(outcomes('\xff\xff\xfe{"a":\xff{"b":1}')).toEqual([
      "! stray '\ufffd'", "! stray '\ufffd'", "! stray '\ufffd'", "! stray '\ufffd'", '{"b": 1}',
    ]);
  });

  it('show the unfinished token and the byte that broke it', () => {
    expect(outcomes('{"guest-pi\xff{"b":1}')).toEqual([`! stray '"guest-pi\ufffd'`, '{"b": 1}']);
  });

  it('end a bare number first', () => {
    expect(outcomes('12\xff')).toEqual(['12', "! stray '\ufffd'"]);
  });

  it('a NUL ends the text that is shown', () => {
    expect(outcomes('"ab\0')).toEqual([`! stray '"ab'`]);
  });

  it('bytes that are no UTF-8 are shown as U+FFFD, each sequence once', () => {
    expect(outcomes('"\xc3\xa9\xe0\x80\xaf\xed\xa0\x80\x80\xf8\x88\x80\x80\x80\t')).toEqual([`! stray '"é\ufffd\ufffd\ufffd\ufffd\t'`]);
  });

  it('text is skipped to the next structural character or line end', () => {
    expect(outcomes('Hello world {"a":1}')).toEqual(["! stray 'H'", '{"a": 1}']);
    expect(outcomes('HELLO "x" 12\ttrue\n[1]')).toEqual(["! stray 'H'", '[1]']);
  });

  it('an unterminated string ends with its line, and the next line survives', () => {
    expect(outcomes('{"execute":"gue\n{"a":1}\n')).toEqual([`! stray '"gue\n'`, '{"a": 1}']);
  });

  it('a raw TAB in a string costs two errors, as in qemu-ga', () => {
    expect(outcomes('{"a":"b\tc"}\n')).toEqual([`! stray '"b\t'`, '! expecting value']);
  });

  it.each([
    [1013, `"${'a'.repeat(1013)}\n'`],
    [1014, `"${'a'.repeat(1014)}\n`],
    [1015, `"${'a'.repeat(1015)}`],
    [100_000, `"${'a'.repeat(1015)}`],
  ])('the echo of a token of %i letters is cut at 1023 bytes of error text, closing quote and all', (letters, shown) => {
    const [decoded] = decodeAll(bytesOf(`"${'a'.repeat(letters)}\n`), [4096]);

    expect(decoded).toEqual({ kind: 'error', desc: `1:1: JSON parse error, stray '${shown}` });
  });

  it('a UTF-8 sequence that is cut there is shown as U+FFFD', () => {
    const [decoded] = decodeAll(bytesOf(`"${'\xe2\x98\x83'.repeat(1000)}\n`));

    expect(decoded).toEqual({ kind: 'error', desc: `1:1: JSON parse error, stray '"${'☃'.repeat(338)}\ufffd` });
  });
});

describe('the text of id', () => {
  it.each([
    ['{"id":1.0}', '1.0'],
    ['{"id":1e400}', '1e400'],
    ['{"id":-0,"execute":"x"}', '-0'],
    ['{"id":18446744073709551616}', '18446744073709551616'],
    ['{"execute":"x","id":null}', 'null'],
    ['{"id":true}', 'true'],
    [String.raw`{"id":'a"\u00e9\u0000'}`, String.raw`"a\"\u00E9\u0000"`],
    ['{"id":[ ]}', '[]'],
    ['{"id":{"b":[1,2.50,{}],"a":{"id":7}},"x":3}', '{"b": [1, 2.50, {}], "a": {"id": 7}}'],
    ['{"\\u0069d":5}', '5'],
  ])('of %s is %s', (text, idText) => {
    for (const size of [text.length, 1]) {
      expect(decodeAll(bytesOf(text), [size])).toMatchObject([{ kind: 'value', idText }]);
    }
  });

  it('is absent where the object has no id of its own, or the value is no object', () => {
    for (const text of ['{"a":{"id":1}}', '[{"id":1}]', '{"x":"id"}', '{"id":1} {}']) {
      const last = decodeAll(bytesOf(text)).at(-1);
      expect(last).toMatchObject({ kind: 'value', idText: undefined });
    }
  });
});

describe('long strings with escapes and letters beyond ASCII', () => {
  const kinds = ['\\u00e9', '\\uD83D\\uDE00', '\\n', '\\\\', '\u00e9', '\u20ac', '\u{1f600}'];

  it.each(kinds)('mean the same wherever they are cut and held: %s', (unit) => {
    // Pieces are held up to 16 KiB: with every start of the sequence that border falls on each of its bytes.
    for (let start = 16 * 1024 - 16; start <= 16 * 1024; start += 1) {
      const text = `["${'a'.repeat(start)}${unit.repeat(4)}${'b'.repeat(3000)}"]`;

      const [decoded] = decodeAll(Buffer.from(text), [1_500]);

      expect(decoded).toEqual({ kind: 'value', value: JSON.parse(text), idText: undefined });
    }
  });
});

describe('the end of a string', () => {
  it.each([0, 1, 2, 3])('is found however long it is, %i bytes beside a word of memory', (beside) => {
    for (let length = 0; length < 80; length += 1) {
      const text = `${' '.repeat(beside)}["${'a'.repeat(length)}"]`;

      expect(decodeAll(Buffer.from(text))).toEqual([{ kind: 'value', value: ['a'.repeat(length)], idText: undefined }]);
    }
  });
});

describe('the first escape of a string', () => {
  it.each([0, 1, 2, 3])('is found wherever it stands, %i bytes beside a word of memory', (beside) => {
    for (let before = 0; before < 80; before += 1) {
      for (const unit of ['\\n', '\u00e9']) {
        const text = `${' '.repeat(beside)}["${'a'.repeat(before)}${unit}${'b'.repeat(100)}"]`;

        expect(decodeAll(Buffer.from(text))).toEqual([{ kind: 'value', value: JSON.parse(text), idText: undefined }]);
      }
    }
  });
});

describe('what is fed', () => {
  it('may be any array of bytes, and nothing at all', () => {
    const decoder = new JsonDecoder();
    const memory = new TextEncoder().encode('..{"a": 1}..');

    decoder.feed(memory.subarray(2, 7));
    decoder.feed(new Uint8Array());
    decoder.feed(memory.subarray(7, 10));
    const waiting = decoder.pendingBytes;

    expect(decoder.next()).toMatchObject({ kind: 'value', value: new Map([['a', 1n]]) });
    expect([waiting, decoder.pendingBytes]).toEqual([8, 0]);
  });
});

// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';

/** The seed of this run: `CONCIERGE_SEED` repeats an earlier one. */
export const seed = Number(process.env['CONCIERGE_SEED'] ?? Date.now() % 0x7fffffff);

const fragments = [
  '{', '}', '[', ']', ':', ',', '"', "'", '\\', '\\u', '\\ud83d', '\\ude00', '\\u0000', '\\uFFFE', '\\/', '\\x', '"execute"', '"arguments"', '"id"',
  '"guest-ping"', "'guest-sync'", '{"execute":"guest-ping"}', '{"execute":"guest-sync","arguments":{"id":1}}', 'true', 'false', 'null', 'nul', '0', '-',
  '-0', '1.', '1e', '1e5', '0e1', '18446744073709551616', '9'.repeat(30), ' ', '\t', '\r', '\n', '\0', '\x1f', '\x7f', '\x80', '\xc0\x80', '\xc3', '\xc3\xa9',
  '\xed\xa0\x80', '\xef\xbf\xbe', '\xf0\x9f\x98\x80', '\xf4\x90\x80\x80', '\xf8\x88\x80\x80\x80', '\xfe', '\xff', 'A', 'x'.repeat(60), 'é%$#'.repeat(3),
];

const requests = [
  '{"execute":"guest-ping"}\n',
  '{"execute":"guest-ping","id":{"a":[1,1.50,-0,null,{"b":"\\u00e9\\"x"}]}}',
  '{"arguments":{"id":-9223372036854775808},"execute":"guest-sync"}\r\n',
  "{'execute':'guest-exec','arguments':{'path':'/bin/true','arg':['a','\\''],'capture-output':true}}",
  `{"execute":"guest-file-write","arguments":{"handle":1000,"buf-b64":"${'QUJD'.repeat(40)}\\/\\n"}}\n`,
  '{"execute":"caf\xc3\xa9\xf0\x9f\x98\x80"}\n',
];

const bytes = fc.uint8Array({ maxLength: 40 });
const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...fragments).map((text) => Buffer.from(text, 'latin1')) },
  { weight: 1, arbitrary: bytes.map((array) => Buffer.from(array)) },
);

/** A stretch of input made of what a parser stumbles over. */
export const hostileStream = fc.array(piece, { maxLength: 25 }).map((parts) => Buffer.concat(parts));

/** A good request with a few bytes taken out, put in, overwritten, or with its tail cut off. */
export const mutatedRequest = fc
  .tuple(
    fc.constantFrom(...requests),
    fc.array(fc.record({ at: fc.nat(400), remove: fc.nat(3), insert: piece }), { maxLength: 4 }),
    fc.option(fc.nat(400), { freq: 4 }),
  )
  .map(([request, edits, cut]) => {
    let result = Buffer.from(request, 'latin1');
    for (const { at, remove, insert } of edits) {
      const from = at % (result.length + 1);
      result = Buffer.concat([result.subarray(0, from), insert.subarray(0, 12), result.subarray(from + remove)]);
    }
    return cut === null ? result : result.subarray(0, cut);
  });

/** Several of both, one after the other. */
export const hostileInput = fc.array(fc.oneof(hostileStream, mutatedRequest), { minLength: 1, maxLength: 4 }).map((parts) => Buffer.concat(parts));

// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import type { Random } from './random.ts';

/**
 * What may be asked of an agent that runs as root beside others: it changes nothing. No handle is ever opened and no program
 * started, so handles and processes are unknown.
 */
const callable: Readonly<Record<string, readonly string[]>> = {
  'guest-ping': [], 'guest-sync': ['id'], 'guest-sync-delimited': ['id'], 'guest-fsfreeze-status': [], 'guest-get-host-name': [],
  'guest-file-close': ['handle'], 'guest-file-flush': ['handle'], 'guest-file-read': ['handle', 'count'],
  'guest-file-write': ['handle', 'buf-b64', 'count'], 'guest-file-seek': ['handle', 'offset', 'whence'], 'guest-exec-status': ['pid'],
};
export const allowed = Object.keys(callable);

/** Names that nobody may call here, or nobody has. */
const refused = ['guest-info', 'guest-get-users', 'guest-get-disks', 'guest-get-vcpus', 'guest-network-get-interfaces', 'guest-pong', 'quit', '', 'caf\u00e9', 'guest-ping\u0000', 'GUEST-PING'];

const integers = ['0', '1', '-1', '42', '1000', '2147483648', '9007199254740993', '9223372036854775807', '-9223372036854775808', '9223372036854775808', '18446744073709551615', '18446744073709551616'];
const oddNumbers = ['-0', '1.0', '0.5', '-0.0', '1e3', '1E+2', '1e-7', '1e400', '0.1', '123456789012345678901234567890', '3.141592653589793', '01', '-01', '00', '0e1', '0x10', '-', '1.', '1e', '+1', '.5', '1e+'];
const words = ['true', 'false', 'null', 'True', 'nul', 'nan', 'x', 'undefined'];
const strings = ['', 'a', 'set', 'cur', 'end', 'merged', 'QUJD', 'QUJDRA==', 'Q', '====', 'a b', '/nowhere', 'caf\\u00e9', '\\ud83d\\ude00', '\\n\\t\\"\\\\\\/', '\u00e9\u2603', '%s', 'x'.repeat(70)];
const badStrings = ['\\x41', '\\u12', '\\ud83d', '\\ude00', '\\uffff', '\\u0000', '\x7f', 'a\tb', 'a\nb', '\x01', '\xc0\xaf', '\xc0\x80', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xfe', '\xff', '\xc3', 'x'.repeat(1100)];
const spaces = ['', '', '', ' ', '\n', '\t', '\r\n', '  '];
const fragments = ['{', '}', '[', ']', ':', ',', '"', "'", '\\', '@', '/', '#', '%', '\xff', '\xfe', '\x00', '\x1f', '\x80', '\n', ' ', '"execute"', '"id"', '"arguments"', '"guest-ping"', '{"execute":"guest-ping"}', '{"a":', '[1,', '// hi', 'GET / HTTP/1.1\r\n', '\ufeff'];

/** Text in which a character above U+007F stands for its UTF-8 where it is above U+00FF, and for the byte itself below that. */
const bytesOf = (text: string): Buffer =>
  Buffer.concat(Array.from(text, (character) => Buffer.from(character, character.codePointAt(0) as number > 0xff ? 'utf8' : 'latin1')));

const quoted = (random: Random, text: string): string => (random.oneIn(9) ? `'${text}'` : `"${text}"`);

const string = (random: Random): string => quoted(random, random.pick(random.oneIn(12) ? badStrings : strings));

function value(random: Random, depth: number): string {
  const kind = random.below(depth > 0 ? 10 : 7);
  if (kind < 3) return random.pick(random.oneIn(3) ? oddNumbers : integers);
  if (kind < 5) return string(random);
  if (kind < 7) return random.pick(random.oneIn(4) ? words : words.slice(0, 3));
  if (kind < 8) return `[${random.several(0, 3, () => value(random, depth - 1)).join(`${random.pick(spaces)},`)}]`;
  return members(random, random.several(0, 3, () => [string(random), value(random, depth - 1)] as const));
}

function members(random: Random, list: readonly (readonly [string, string])[]): string {
  const space = random.pick(spaces);
  return `{${space}${list.map(([name, its]) => `${name}${space}:${its}`).join(`,${space}`)}${space}}`;
}

/** An argument as it should be, or in one of ten cases not. */
function argument(random: Random, name: string): string {
  if (random.oneIn(10)) return value(random, 2);
  if (name === 'buf-b64') return `"${random.pick(['', 'QUJD', 'QQ==', 'QUJDRA', 'Q', '!', 'QU JD', '-_'])}"`;
  if (name === 'whence') return random.pick(['0', '1', '2', '3', '-1', '"set"', '"cur"', '"end"', '"start"', '1.5']);
  return random.pick(integers);
}

function request(random: Random): string {
  const name = random.oneIn(8) ? random.pick(refused) : random.pick(allowed);
  const declared = (callable[name] ?? []).filter(() => !random.oneIn(12));
  const given: (readonly [string, string])[] = declared.map((one) => [`"${one}"`, argument(random, one)]);
  if (random.oneIn(12)) given.push([string(random), value(random, 1)]);
  const parts: (readonly [string, string])[] = [['"execute"', random.oneIn(20) ? value(random, 1) : quoted(random, name)]];
  if (given.length > 0 || random.oneIn(4)) parts.push(['"arguments"', random.oneIn(25) ? value(random, 1) : members(random, given)]);
  if (random.oneIn(3)) parts.push(['"id"', value(random, 3)]);
  if (random.oneIn(15)) parts.push([string(random), value(random, 1)]);
  if (random.oneIn(4)) parts.reverse();
  return members(random, parts);
}

/** A few bytes taken out, put in, changed, doubled, or all behind one cut off. */
function mutated(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1);
  const length = random.oneIn(3) ? random.below(20) : 1;
  const [before, hit, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
  const kind = random.below(6);
  if (kind === 0) return Buffer.concat([before, after]);
  if (kind === 1) return Buffer.concat([before, bytesOf(random.pick(fragments)), hit, after]);
  if (kind === 2) return Buffer.concat([before, Buffer.from(hit.map((byte) => byte ^ (1 << random.below(8)))), after]);
  if (kind === 3) return Buffer.concat([before, hit, hit, after]);
  if (kind === 4) return Buffer.concat([before, Buffer.of(random.below(256)), after]);
  return before;
}

function part(random: Random): Buffer {
  const kind = random.below(20);
  if (kind === 0) return bytesOf(random.several(1, 12, () => random.pick(fragments)).join(''));
  if (kind === 1) return bytesOf(value(random, 4));
  if (kind === 2) return bytesOf(`${'['.repeat(random.pick([1, 5, 1023, 1024, 1025, 1030]))}${']'.repeat(random.pick([0, 1, 1024, 1025]))}`);
  let bytes: Buffer = bytesOf(request(random));
  for (let changes = random.pick([0, 0, 0, 1, 1, 2, 4]); changes > 0; changes -= 1) bytes = mutated(random, bytes);
  return bytes;
}

/** What one host sends: most often one request, or what is left of it. */
export const caseOf = (random: Random): Buffer =>
  Buffer.concat(random.several(1, random.pick([1, 1, 1, 3]), () => Buffer.concat([part(random), bytesOf(random.pick(['\n', '\n', '', ' ', '\r\n']))])));

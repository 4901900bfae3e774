// SPDX-License-Identifier: Apache-2.0
import { JsonDecoder } from '../../core/protocol/json-decoder.ts';
import { parseRequest } from '../../core/protocol/request.ts';
import { returnLine } from '../../core/protocol/response.ts';
import { median } from '../lib/median.ts';

/** Prints what decoding costs: `node bench/micro/decoder.ts`. Medians of several rounds, after warming up. */

const CHUNK = 64 * 1024;

/** Nanoseconds per call. */
function cost(calls: number, rounds: number, action: () => void): number {
  const round = (): number => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i += 1) action();
    return Number(process.hrtime.bigint() - start) / calls;
  };
  for (let i = 0; i < 3; i += 1) round();
  return median(Array.from({ length: rounds }, round));
}

const decoder = new JsonDecoder();

function decodeAll(bytes: Buffer, chunkSize: number): void {
  for (let at = 0; at < bytes.length; at += chunkSize) {
    decoder.feed(bytes.subarray(at, at + chunkSize));
    while (decoder.next() !== undefined);
  }
}

const line = (name: string, text: string): void => console.log(`${name.padEnd(44)} ${text}`);

function small(name: string, request: string, calls = 100_000): void {
  const bytes = Buffer.from(request);
  line(name, `${cost(calls, 9, () => decodeAll(bytes, CHUNK)).toFixed(0)} ns`);
}

function large(name: string, request: Buffer, calls: number): void {
  const ns = cost(calls, 7, () => decodeAll(request, CHUNK));
  line(name, `${(ns / 1000).toFixed(1)} us, ${((request.length / ns) * 1000).toFixed(0)} MB/s`);
}

const fileWrite = (bytes: number, unit = 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkrLw=='): Buffer =>
  Buffer.concat([
    Buffer.from('{"execute":"guest-file-write","arguments":{"handle":1000,"buf-b64":"'),
    Buffer.alloc(bytes - 100, unit),
    Buffer.from('"}}\n'),
  ]);

small('guest-ping', '{"execute":"guest-ping"}\n');
small('guest-sync', '{"execute":"guest-sync","arguments":{"id":1700000000123}}\n');
small('guest-ping with id', '{"execute":"guest-ping","id":"libvirt-42"}\n');
const ping = Buffer.from('{"execute":"guest-ping"}\n');
line(
  'guest-ping to reply line',
  `${cost(100_000, 9, () => {
    decoder.feed(ping);
    for (let decoded = decoder.next(); decoded !== undefined; decoded = decoder.next()) {
      if (decoded.kind === 'value' && parseRequest(decoded.value).execute === 'guest-ping') returnLine('{}', decoded.idText);
    }
  }).toFixed(0)} ns`,
);
const burst = Buffer.from('{"execute":"guest-ping"}\n'.repeat(1000));
line('guest-ping, one of 1000 in a burst', `${(cost(100, 9, () => decodeAll(burst, CHUNK)) / 1000).toFixed(0)} ns`);
large('file write, 64 KiB', fileWrite(CHUNK), 1000);
large('file write, 64 KiB, escaped slash in every 80', fileWrite(CHUNK, `${'A'.repeat(78)}\\/`), 500);
large('file write, 1 MiB', fileWrite(1 << 20), 50);
large('file write, 64 MiB', fileWrite(1 << 26), 1);
large('64 MiB of escapes', fileWrite(1 << 26, '\\n'), 1);
large('64 MiB of UTF-8', fileWrite(1 << 26, 'é☃'), 1);
large('64 MiB of white space', Buffer.alloc(1 << 26, ' '), 1);

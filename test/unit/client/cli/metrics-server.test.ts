// SPDX-License-Identifier: Apache-2.0
import { EventEmitter, once } from 'node:events';
import { appendFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';

import { placeToListen } from '../../../../client/cli/metrics-server.ts';
import { runProgram } from '../../../../client/cli/program.ts';
import { FakeGuests } from './fake-guests.ts';

let fake: FakeGuests;
let stop: () => Promise<number> = () => Promise.resolve(0);

afterEach(async () => {
  await stop();
  await fake?.close();
});

/** concierge-ctl as it listens; answers where. */
async function listening(...words: readonly string[]): Promise<URL> {
  return listeningAt('0', ...words);
}

async function listeningAt(place: string, ...words: readonly string[]): Promise<URL> {
  const signals = new EventEmitter();
  const stderr = new PassThrough();
  const ended = runProgram({ words: [...words, 'metrics', '--listen', place], environment: { CONCIERGE_GUESTS: fake.list }, version: '', stdin: Readable.from([]), stdout: new PassThrough(), stderr, isWatched: false, signals });
  stop = () => {
    signals.emit('SIGTERM');
    return ended;
  };
  const [told] = (await once(stderr, 'data')) as [Buffer];
  return new URL(/^concierge-ctl: listening at (http:\/\/(?:127\.0\.0\.1|\[[\da-f:.]+\]):\d+\/metrics)\n$/.exec(told.toString())?.[1] ?? '');
}

async function ask(url: URL, options: { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string> } = {}): Promise<{ readonly status: number | undefined; readonly headers: IncomingMessage['headers']; readonly body: string }> {
  const asked = request(url, { agent: false, ...options }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** Where it is switched off nobody listens by it. */
const hasVersion6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === '::1');

const wasAsked = (name: string): boolean => fake.guest(name).machine.faults.calls.some((call) => call.startsWith('network.'));

describe('metrics that are served', () => {
  it('are OpenMetrics of all guests, asked when somebody asks', async () => {
    fake = await FakeGuests.of({ a: {}, b: {} }, '\n[gone]\nsocket = /no/such/socket\n');
    const url = await listening('--all');

    const { status, headers, body } = await ask(url);

    expect([status, headers['content-type']]).toEqual([200, 'application/openmetrics-text; version=1.0.0; charset=utf-8']);
    expect(body).toMatch(/^concierge_guest_up\{guest="a"\} 1$/m);
    expect(body).toMatch(/^concierge_guest_up\{guest="gone"\} 0$/m);
    expect(body.endsWith('# EOF\n')).toBe(true);
    expect([wasAsked('a'), wasAsked('b')]).toEqual([true, true]);
    expect(await stop()).toBe(0);
  });

  it('are of the guests that the list has by then', async () => {
    fake = await FakeGuests.of({ a: {} });
    const url = await listening('--all');
    await appendFile(fake.list, '\n[later]\nsocket = /no/such/socket\n');

    expect((await ask(url)).body).toContain('concierge_guest_up{guest="later"} 0');

    await appendFile(fake.list, 'nonsense\n');
    expect(await ask(url)).toMatchObject({ status: 503, body: expect.stringContaining('it is neither [NAME] nor key=value') });
  });

  it('are of one guest, too', async () => {
    fake = await FakeGuests.of({ a: {} });

    expect((await ask(await listening('--guest', 'a'))).body).toMatch(/^concierge_guest_up 1$/m);
  });

  it('are asked for once at a time, however many ask', async () => {
    fake = await FakeGuests.of({ a: {} });
    const url = await listening('--guest', 'a');

    const bodies = await Promise.all(Array.from({ length: 8 }, async () => (await ask(url)).body));

    expect(bodies.every((body) => body.includes('concierge_guest_up 1'))).toBe(true);
    // As many as came one after the other at most; and the duration, which no two measurements share, is the same for those that came together.
    expect(new Set(bodies.map((body) => /^concierge_guest_scrape_duration_seconds .*$/m.exec(body)?.[0])).size).toBeLessThan(8);
  });

  it.each([
    [{ method: 'HEAD' }, 200, ''],
    [{ path: '/' }, 404, 'metrics are at /metrics\n'],
    [{ method: 'POST' }, 405, 'metrics are read\n'],
    [{ headers: { Host: 'evil.example' } }, 403, 'this is for programs of this host, which ask for localhost\n'],
    [{ path: '/metrics?x=1', method: 'HEAD' }, 200, ''],
    [{ headers: { 'X-Long': 'x'.repeat(9000) } }, 431, ''],
  ])('%j is answered with %i', async (options, status, body) => {
    fake = await FakeGuests.of({ a: {} });

    expect(await ask(await listening('--guest', 'a'), options)).toMatchObject({ status, body });
    expect(wasAsked('a')).toBe(false);
  });

  it.skipIf(!hasVersion6).each(['[0:0:0:0:0:0:0:1]:0', '[::0001]:0', '[::ffff:127.0.0.1]:0'])('are for programs of this host at %s as well, however that is written', async (place) => {
    fake = await FakeGuests.of({ a: {} });
    const url = await listeningAt(place, '--guest', 'a');

    expect(await ask(url, { headers: { Host: 'evil.example' } })).toMatchObject({ status: 403 });
    expect(await ask(url)).toMatchObject({ status: 200 });
  });

  it('are told once on a connection, however many requests come on it at once', async () => {
    fake = await FakeGuests.of({ a: {} });
    const url = await listening('--guest', 'a');
    const socket = connect(Number(url.port), '127.0.0.1');
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(50));

    const told = await text(socket);

    expect(told.match(/^HTTP\/1\.1 200 OK\r$/gm)).toHaveLength(1);
    expect(told).toMatch(/^Connection: close\r$/m);
  });

  it('do not wait for who says nothing, and take no more connections than are bounded', async () => {
    fake = await FakeGuests.of({ a: {} });
    const url = await listening('--guest', 'a');
    const silent = Array.from({ length: 16 }, () => connect(Number(url.port), '127.0.0.1'));
    await Promise.all(silent.map((socket) => once(socket, 'connect')));

    const more = connect(Number(url.port), '127.0.0.1').on('error', () => undefined);
    await once(more, 'close');

    expect(await stop()).toBe(0);
    for (const socket of silent) socket.destroy();
  });

  it.each([
    [['--listen', 'x'], 2, '--listen takes a port'],
    [['--listen', '1', '--output', '/x'], 2, '--output writes once'],
    [['--listen', '192.0.2.1:0'], 3, 'cannot listen at 192.0.2.1, port 0: this host has no such address'],
  ])('%j ends with %i', async (flags, status, why) => {
    fake = await FakeGuests.of({ a: {} });

    expect(await fake.ctl(['--guest', 'a', 'metrics', ...flags])).toMatchObject({ status, err: expect.stringContaining(why) });
  });

  it('do not take a port that somebody has', async () => {
    fake = await FakeGuests.of({ a: {} });
    const other = createServer();
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));

    const { port } = other.address() as AddressInfo;
    const told = await fake.ctl(['--guest', 'a', 'metrics', '--listen', String(port)]);
    other.close();

    expect(told).toMatchObject({ status: 3, err: expect.stringContaining('somebody listens there already') });
  });
});

describe('where metrics are served', () => {
  it.each([
    ['9181', '127.0.0.1', 9181], ['0.0.0.0:9181', '0.0.0.0', 9181], ['[::1]:1', '::1', 1], ['[::]:1', '::', 1],
  ])('%s is address %s and port %i', (given, host, port) => {
    expect(placeToListen(given)).toEqual({ host, port });
  });

  it.each(['', ':1', 'localhost:1', '::1:1', '65536', '1.2.3:1', '[::x]:1'])('%j is none', (given) => {
    expect(() => placeToListen(given)).toThrow('--listen takes a port');
  });
});

// SPDX-License-Identifier: Apache-2.0
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';

import { describe, expect, it, vi } from 'vitest';

import { carry } from '../../../../client/cli/tunnel/carry.ts';
import { forwardOf } from '../../../../client/cli/tunnel/forward.ts';
import { reasonOf } from '../../../../client/cli/tunnel/guest-end.ts';
import type { GuestProcess } from '../../../../client/index.ts';
import { createFakeGuest } from '../../../../kit/fake/index.ts';
import { ctl, ctlOn } from './ctl.ts';

describe('where a tunnel leads', () => {
  it.each([
    ['8080:localhost:80', { bind: '127.0.0.1', port: 8080, host: 'localhost', hostPort: 80 }],
    ['0:db.example:5432', { bind: '127.0.0.1', port: 0, host: 'db.example', hostPort: 5432 }],
    ['localhost:8080:h:1', { bind: '127.0.0.1', port: 8080, host: 'h', hostPort: 1 }],
    ['192.0.2.1:8080:h:1', { bind: '192.0.2.1', port: 8080, host: 'h', hostPort: 1 }],
    ['[::1]:8080:[fe80::1%eth0]:65535', { bind: '::1', port: 8080, host: 'fe80::1%eth0', hostPort: 65_535 }],
    ['*:8080:[::1]:80', { bind: '::', port: 8080, host: '::1', hostPort: 80 }],
  ])('is said by %s', (given, forward) => {
    expect(forwardOf(given)).toEqual(forward);
  });

  it.each([
    ['80', 'there are not three or four parts'], ['8080:80', 'there are not three or four parts'], ['a:b:c:d:e', 'there are not three or four parts, of which an address of IPv6 is one in brackets, in'], ['8080:::1:80', 'there are not three or four parts'],
    ['[::1:8080:h:80', 'there are not three or four parts'], ['8080:[::1]x:80', 'there are not three or four parts'], ['8080::80', 'there is no host'], ['8080:-oProxy:80', "'-oProxy' is no host"], ['8080:a b:80', "'a b' is no host"],
    ['8080:h:0', "'0' is no port"], ['65536:h:80', "'65536' is no port"], ['x:h:80', "'x' is no port"], ['8080:h:', "'' is no port"], [':8080:h:80', "'' is no address of this host"], ['eth0:8080:h:80', "'eth0' is no address of this host"],
  ])('is not said by %s', async (given, why) => {
    expect(await ctl(['tunnel', given])).toMatchObject({ status: 2, out: '', err: expect.stringContaining(why) });
  });

  it('has to be said', async () => {
    expect(await ctl(['tunnel'])).toMatchObject({ status: 2, err: expect.stringContaining('say what leads where') });
  });
});

it('what carries a connection says why there is none, without its own name', () => {
  expect(['2026/11/30 21:53:10 socat[29273] E connect(5, AF=2 127.0.0.1:1, 16): Connection refused\n', "nc: can't connect to remote host (127.0.0.1): Connection refused\n", 'warning\nConnection refused\n', '\u001b[2J', ''].map(reasonOf))
    .toEqual(['connect(5, AF=2 127.0.0.1:1, 16): Connection refused', "can't connect to remote host (127.0.0.1): Connection refused", 'Connection refused', String.raw`\x1b[2J`, '']);
});

describe('a tunnel', () => {
  it('says what the guest lacks', async () => {
    expect(await ctl(['tunnel', '0:localhost:80'])).toEqual({ status: 1, out: '', err: 'concierge-ctl: the guest has no perl, python3, socat or busybox, one of which a tunnel needs there\n' });
  });

  it('takes what the guest has, and none that cannot do it', async () => {
    const probed: string[] = [];
    const signals = new EventEmitter();
    const files = Object.fromEntries((['perl', 'python3', 'busybox'] as const).map((name) => [`/usr/bin/${name}`, {
      program: () => {
        probed.push(name);
        if (name === 'busybox') setImmediate(() => signals.emit('SIGTERM'));
        return name === 'busybox' ? 0 : 1;
      },
    }]));

    expect(await ctl(['tunnel', '0:localhost:80'], { machine: { files } }, { signals })).toMatchObject({ status: 0 });
    expect(probed).toEqual(['perl', 'python3', 'busybox']);
  });

  it('does not begin where somebody listens already', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;

    const told = await ctlOn(await createFakeGuest({ machine: { files: { '/usr/bin/perl': { program: () => 0 } } } }, { realTime: true }), ['tunnel', `${port}:localhost:80`]);

    server.close();
    expect(told).toEqual({ status: 3, out: '', err: `concierge-ctl: cannot listen at 127.0.0.1:${port}: somebody listens there already\n` });
  });
});

describe('a connection', () => {
  /** Both ends of a connection of this host, and a program in the guest that does what the test says. */
  async function carried(halfOpenMs?: number) {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const outer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const [here] = (await once(server, 'connection')) as [Socket];
    server.close();
    const there = Object.assign(new EventEmitter(), { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), signalCode: null, kill: vi.fn(() => true) });
    const failed = vi.fn();
    const done = carry(here, there as unknown as GuestProcess, failed, halfOpenMs);
    return { outer, there, failed, done };
  }

  it('ends when the far side has ended and the program here never does', async () => {
    const { outer, there, failed, done } = await carried(20);

    there.stdout.end('last words');
    const ended = once(outer, 'end');
    outer.on('error', () => undefined).resume();
    await ended;
    await vi.waitFor(() => expect(there.kill).toHaveBeenCalled(), { timeout: 20_000 });
    there.emit('close', null, 'SIGTERM');
    await done;
    outer.destroy();

    expect(there.kill).toHaveBeenCalledWith('SIGTERM', { group: true });
    expect(failed).not.toHaveBeenCalled();
  });

  it('is reset where the program that carries it fails, and says why', async () => {
    const { outer, there, failed, done } = await carried();
    const error = once(outer, 'error');

    there.stderr.end('Connection refused\n');
    await once(there.stderr, 'end');
    there.emit('close', 1, null);
    await done;

    expect((await error)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(failed).toHaveBeenCalledExactlyOnceWith('Connection refused');
  });

  it('is reset where it cannot be carried at all', async () => {
    const { outer, there, failed, done } = await carried();
    const error = once(outer, 'error').catch((thrown: unknown) => [thrown]);
    const lost = new Error('lost');

    there.emit('error', lost);
    there.emit('error', new Error('and once more'));
    await done;

    expect((await error)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(failed).toHaveBeenCalledExactlyOnceWith(lost);
  });
});

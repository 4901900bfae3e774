// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { GuestClient } from '../../../../client/index.ts';
import { createFakeGuest } from '../../../../kit/fake/index.ts';
import { ctl, ctlWith } from './ctl.ts';

describe('verify', () => {
  it('tries what the host alone can see, with a figure each', async () => {
    const { status, out } = await ctl(['verify', '--idle', '0', '--json']);
    const checks = JSON.parse(out) as readonly { readonly check: string; readonly result: string; readonly detail: string }[];

    expect(checks.map(({ check, result }) => `${check}: ${result}`)).toEqual([
      '20 reconnects: passed', '1000 pings: passed', 'an answer that comes after its host has gone: passed', 'a host that never reads: not here', '0 idle seconds: passed',
    ]);
    expect(status).toBe(0);
    for (const { result, detail } of checks) expect(result === 'not here' || /\d ms/.test(detail)).toBe(true);
  });

  it('an agent that answers no second host has failed', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    let count = 0;

    const { status, out } = await ctlWith(async () => {
      count += 1;
      if (count > 1) throw new Error('nobody listens there');
      return new GuestClient(guest.connect(), { timeoutMs: 1000 });
    }, ['verify', '--idle', '0']);

    expect(status).toBe(1);
    expect(out).toMatch(/20 reconnects +failed +nobody listens there/);
  });

  it('takes seconds to be idle, and no other words', async () => {
    expect(await ctl(['verify', '--idle', 'long'])).toMatchObject({ status: 2 });
  });
});

describe('the host of verify that never reads', () => {
  let directory: string;
  let path: string;
  let server: Server;
  let met: number;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-verify-'));
    path = join(directory, 'agent.sock');
    met = 0;
    server = createServer((socket) => {
      met += 1;
      socket.on('error', () => undefined).resume();
    });
    await new Promise<void>((resolve) => void server.listen(path, resolve));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await new Promise((resolve) => void server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['the socket that is named', ['--socket'], {}, 'passed', 1],
    ['the socket of the environment, where nothing is named', [], { CONCIERGE_SOCKET: 'SOCKET' }, 'passed', 1],
    ['no socket of the environment where another guest is named', ['--libvirt', 'vm'], { CONCIERGE_SOCKET: 'SOCKET' }, 'not here', 0],
    ['no socket where the environment names a program', [], { CONCIERGE_SOCKET: 'SOCKET', CONCIERGE_VIA: 'true' }, 'not here', 0],
    ['no socket of the environment for a guest of the list', ['--guests', 'LIST', '--guest', 'vm'], { CONCIERGE_SOCKET: 'SOCKET' }, 'not here', 0],
  ])('goes to %s', async (_what, flags, variables, expected, meetings) => {
    const environment = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value === 'SOCKET' ? path : value]));
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const list = join(directory, 'guests.conf');
    writeFileSync(list, '[vm]\nlibvirt=vm\n', { mode: 0o600 });
    const words = flags[0] === '--socket' ? ['--socket', path] : flags.map((word) => (word === 'LIST' ? list : word));

    const { out } = await ctl([...words, 'verify', '--idle', '0', '--json'], {}, { environment });

    const checks = JSON.parse(out) as readonly { readonly check: string; readonly result: string }[];
    expect(checks.find(({ check }) => check === 'a host that never reads')?.result).toBe(expected);
    expect(met).toBe(meetings);
  });
});

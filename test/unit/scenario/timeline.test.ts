// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { GuestClient } from '../../../client/index.ts';
import { createFakeGuest, type Entry, type MachineDescription } from '../../../kit/fake/index.ts';

async function guestWith(timeline: readonly Entry[], machine: Partial<MachineDescription> = {}) {
  const guest = await createFakeGuest({ timeline, machine });
  return { guest, machine: guest.machine, client: new GuestClient(guest.connect(), { timeoutMs: 1000 }) };
}

describe('what happens at a time', () => {
  it('happens then and not before', async () => {
    const { guest, machine } = await guestWith([{ at: 10_000, do: 'fill', of: '/data' }, { at: 20_000, do: 'free', of: '/data' }]);

    const states: boolean[] = [machine.fileSystems.get('/data').full];
    await guest.advance(10_000);
    states.push(machine.fileSystems.get('/data').full);
    await guest.advance(10_000);
    states.push(machine.fileSystems.get('/data').full);

    expect(states).toEqual([false, true, false]);
  });

  it('moves the wall clock and no timer', async () => {
    const { guest, machine } = await guestWith([{ at: 1000, do: 'clock-jumps', by: -3_600_000 }, { at: 2000, do: 'fill', of: '/' }]);
    const before = machine.clock.now();

    await guest.advance(2000);

    expect(machine.clock.now() - before).toBe(-3_598_000_000_000n);
    expect(machine.fileSystems.get('/').full).toBe(true);
  });

  it('is a restore, which the agent hears of and puts right', async () => {
    const { guest, machine, client } = await guestWith([{ at: 1000, do: 'restored', by: 3_600_000 }, { at: 2000, do: 'forked' }], { generationHooks: [{ name: 'id' }] });
    const before = machine.clock.now();

    await guest.advance(2000);

    expect(machine.clock.now() - before).toBe(3_602_000_000_000n);
    expect(machine.generation.runs.map(({ from, to }) => [from, to])).toEqual([[0, 1], [1, 2]]);
    expect(await client.execute('__org.concierge_generation')).toMatchObject({ number: 2n });
  });

  it('is done by others in the guest', async () => {
    const { guest, machine } = await guestWith([{ at: 0, do: 'freeze-behind', of: '/boot' }, { at: 1000, do: 'thaw-behind', of: '/boot' }, { at: 1000, do: 'thaw-behind', of: '/boot' }]);
    await guest.advance(1);
    const frozen = machine.fileSystems.frozen;

    await guest.advance(1000);

    expect([frozen, machine.fileSystems.frozen]).toEqual([['/boot'], []]);
  });

  it('is any fault of any port', async () => {
    const { client } = await guestWith([{ at: 0, do: 'fault', port: 'host.hostName', method: 'get', error: 'EIO', times: 2 }]);

    await expect(client.execute('guest-get-host-name')).rejects.toThrow('Input/output error');
    await expect(client.execute('guest-get-host-name')).rejects.toThrow('Input/output error');
    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'fake' });
  });

  it('hangs until it is released', async () => {
    const { guest, client } = await guestWith([{ at: 0, do: 'fault', port: 'host.hostName', method: 'get', hang: true, times: 'always' }, { at: 5000, do: 'release' }]);
    const call = client.execute('guest-get-host-name');

    await guest.advance(5000);

    await expect(call).resolves.toEqual({ 'host-name': 'fake' });
  });
});

describe('what happens with a command', () => {
  it('happens with the nth, or with every one from then on', async () => {
    const { machine, client } = await guestWith([
      { on: 'guest-ping', nth: 2, do: 'clock-jumps', by: 1000 },
      { on: 'guest-get-users', nth: 2, every: true, do: 'clock-jumps', by: 1_000_000 },
    ]);
    const before = machine.clock.now();

    for (let count = 0; count < 3; count += 1) {
      await client.execute('guest-ping');
      await client.execute('guest-get-users');
    }

    expect(machine.clock.now() - before).toBe(2_001_000_000_000n);
  });

  it('happens before the agent sees it', async () => {
    const { client } = await guestWith([{ on: 'guest-file-open', do: 'fill', of: '/data' }]);

    await expect(client.execute('guest-file-open', { path: '/data/new', mode: 'w' })).rejects.toThrow('No space left on device');
  });

  it('happens so long after it', async () => {
    const { guest, machine, client } = await guestWith([{ on: 'guest-ping', after: 3000, do: 'fill', of: '/' }]);
    await client.execute('guest-ping');
    const before = machine.fileSystems.get('/').full;

    await guest.advance(3000);

    expect([before, machine.fileSystems.get('/').full]).toEqual([false, true]);
  });
});

describe('an answer', () => {
  it('is lost, and only that one', async () => {
    const { client } = await guestWith([{ on: 'guest-get-users', do: 'answer-lost' }]);

    await expect(client.execute('guest-get-users', {}, { timeoutMs: 20 })).rejects.toMatchObject({ kind: 'timeout' });
    await expect(client.execute('guest-get-users')).resolves.toHaveLength(1);
  });

  it('is late, and what comes behind it waits in order', async () => {
    const { guest, client } = await guestWith([{ on: 'guest-get-users', do: 'answer-late', by: 8000 }]);
    const users = client.execute('guest-get-users');
    const name = client.execute('guest-get-host-name');

    await guest.advance(8000);

    await expect(users).resolves.toHaveLength(1);
    await expect(name).resolves.toEqual({ 'host-name': 'fake' });
  });

  it('is cut off with the connection', async () => {
    const { guest } = await guestWith([{ on: 'guest-get-osinfo', do: 'answer-cut', bytes: 20 }]);
    const stream = guest.connect();
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const closing = new Promise((resolve) => stream.once('close', resolve));

    stream.write('{"execute": "guest-get-osinfo"}\n');
    await closing;

    expect(Buffer.concat(chunks).length).toBeLessThanOrEqual(20);
  });

  it('is garbled', async () => {
    const { client } = await guestWith([{ on: 'guest-get-osinfo', do: 'answer-garbled' }]);

    await expect(client.execute('guest-get-osinfo')).rejects.toMatchObject({ kind: 'garbage' });
  });

  it('of the command meant is hit, also behind one that answers nothing', async () => {
    const { client } = await guestWith([{ on: 'guest-get-users', do: 'answer-garbled', text: 'x' }]);
    await client.execute('guest-shutdown', {}, { timeoutMs: 10 });

    await expect(client.execute('guest-get-users')).rejects.toMatchObject({ kind: 'garbage' });
  });
});

describe('hooks', () => {
  const hooks = [{ name: '/hooks/db' }];

  it('fail with what they print', async () => {
    const { client } = await guestWith([{ at: 0, do: 'hook-fails', name: '/hooks/db', output: 'busy' }], { hooks });

    await expect(client.execute('guest-fsfreeze-freeze')).rejects.toThrow('child process has failed to execute fsfreeze hook: busy');
  });

  it('take their time', async () => {
    const { guest, client } = await guestWith([{ at: 0, do: 'hook-hangs', name: '/hooks/db', phase: 'freeze', for: 5000 }], { hooks });
    const freeze = client.execute('guest-fsfreeze-freeze');

    await guest.advance(5000);

    await expect(freeze).resolves.toBe(4n);
  });
});

describe('an agent that dies', () => {
  it('leaves its connections closed and the guest frozen, and the next one thaws', async () => {
    const { guest, machine, client } = await guestWith([{ on: 'guest-ping', do: 'agent-dies', restart: 5000 }]);
    await client.execute('guest-fsfreeze-freeze');
    await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed' });
    const between = [guest.isAlive, machine.fileSystems.frozen.length];

    using next = new GuestClient(guest.connect());
    const status = next.execute('guest-fsfreeze-status');
    await guest.advance(5000);

    expect(between).toEqual([false, 4]);
    await expect(status).resolves.toBe('frozen');
    await expect(next.execute('guest-fsfreeze-thaw')).resolves.toBe(4n);
  });

  it('does nothing more: what it had begun has no effect', async () => {
    const { guest, machine, client } = await guestWith([
      { at: 0, do: 'fault', port: 'fileSystem.files.openFile', method: 'write', hang: true },
      { on: 'guest-ping', do: 'agent-dies', restart: 'never' },
      { at: 1000, do: 'release' },
    ]);
    const handle = await client.execute('guest-file-open', { path: '/data/x', mode: 'w' });
    const write = client.execute('guest-file-write', { handle, 'buf-b64': 'eA==' });
    write.catch(() => undefined);
    using other = new GuestClient(guest.connect());
    await expect(other.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed' });

    await guest.advance(2000);

    await expect(write).rejects.toMatchObject({ kind: 'closed' });
    expect(guest.isAlive).toBe(false);
    expect(machine.fileSystems.frozen).toEqual([]);
  });
});

it('the same scenario does the same twice', async () => {
  const runOnce = async (): Promise<readonly string[]> => {
    const { guest, client } = await guestWith([{ at: 0, do: 'dirty', of: '/data', bytes: 2 ** 30, flush: 3000 }]);
    const freeze = client.execute('guest-fsfreeze-freeze');
    await guest.advance(3000);
    await freeze;
    await client.execute('guest-fsfreeze-thaw');
    return guest.machine.faults.calls;
  };

  expect(await runOnce()).toEqual(await runOnce());
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { ClientError, GuestClient, withFrozen, type ClientErrorKind } from '../../../client/index.ts';
import { createFakeGuest, type FakeGuest, type FakeGuestOptions, type Scenario } from '../../../kit/fake/index.ts';

const ofKind = (kind: ClientErrorKind) => expect.objectContaining({ name: 'ClientError', kind });

async function guestOf(timeline: Scenario['timeline'] = [], options: FakeGuestOptions = {}) {
  const guest = await createFakeGuest({ timeline }, options);
  return { guest, client: new GuestClient(guest.connect()), frozen: () => guest.machine.fileSystems.frozen };
}

describe('withFrozen', () => {
  it('does its work while everything is frozen, and thaws', async () => {
    const { client, frozen } = await guestOf();
    let during: readonly string[] = [];

    const result = await withFrozen(client, async ({ count, check }) => {
      during = frozen();
      await check();
      return count;
    });

    expect(result).toBe(4n);
    expect(during).toEqual(['/', '/boot', '/data', '/mnt/backup']);
    expect(frozen()).toEqual([]);
  });

  it('freezes only what it is told', async () => {
    const { client, frozen } = await guestOf();

    const during = await withFrozen(client, async () => frozen(), { mountPoints: ['/boot'] });

    expect(during).toEqual(['/boot']);
  });

  it('thaws when the work fails, and passes its error on', async () => {
    const { client, frozen } = await guestOf();

    const work = withFrozen(client, () => Promise.reject(new Error('disk of the host is full')));

    await expect(work).rejects.toThrow('disk of the host is full');
    expect(frozen()).toEqual([]);
  });

  it('tells when the deadline thawed the guest before the work was done', async () => {
    const { guest, client } = await guestOf([], { freezeTimeoutMs: 1000 });

    const work = withFrozen(client, () => guest.advance(1500));

    await expect(work).rejects.toEqual(ofKind('hold-lost'));
  });

  it('does no work when the freeze is refused, and leaves the refusal as it is', async () => {
    const { client, frozen } = await guestOf([{ at: 0, do: 'freeze-fails', of: '/data' }]);
    let worked = false;

    const work = withFrozen(client, async () => (worked = true));

    await expect(work).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('Input/output error') });
    expect(worked).toBe(false);
    expect(frozen()).toEqual([]);
  });

  it('thaws after a freeze whose answer was lost: it has happened', async () => {
    const { client, frozen } = await guestOf([{ on: 'guest-fsfreeze-freeze', do: 'answer-lost' }]);

    const work = withFrozen(client, async () => undefined, { freezeTimeoutMs: 20 });

    await expect(work).rejects.toEqual(ofKind('timeout'));
    expect(frozen()).toEqual([]);
  });

  it('thaws through another connection when its own is lost', async () => {
    const { guest, client, frozen } = await guestOf([{ on: 'guest-fsfreeze-status', do: 'connection-drops' }]);

    const work = withFrozen(client, async () => undefined, { reconnect: async () => new GuestClient(guest.connect()) });

    await expect(work).rejects.toEqual(ofKind('closed'));
    expect(frozen()).toEqual([]);
  });

  it('says that the guest may still be frozen when the thaw cannot be delivered', async () => {
    const { client, frozen } = await guestOf([{ on: 'guest-fsfreeze-thaw', do: 'agent-dies', restart: 'never' }]);

    const work = withFrozen(client, async () => undefined);

    await expect(work).rejects.toMatchObject({ kind: 'left-frozen', message: expect.stringContaining('may still be frozen') });
    expect(frozen()).not.toEqual([]);
  });

  it('has nothing to lose where nothing can be frozen', async () => {
    const { client } = await guestOf();

    await expect(withFrozen(client, async ({ count }) => count, { mountPoints: [] })).resolves.toBe(0n);
  });

  it('tells of a thaw that found nothing frozen', async () => {
    const thawAll = ['/mnt/backup', '/data', '/boot', '/'].map((of) => ({ on: 'guest-fsfreeze-thaw', do: 'thaw-behind', of }) as const);
    const { client } = await guestOf(thawAll);

    await expect(withFrozen(client, async () => 1)).rejects.toEqual(ofKind('hold-lost'));
  });

  it('tells of one file system that was thawed by somebody else', async () => {
    const { client } = await guestOf([{ on: 'guest-fsfreeze-thaw', do: 'thaw-behind', of: '/data' }]);

    await expect(withFrozen(client, async () => 1)).rejects.toMatchObject({ kind: 'hold-lost', message: expect.stringContaining('1 of 4 file systems were thawed') });
  });

  it('does not take the freeze of somebody else for its own', async () => {
    const { guest, client, frozen } = await guestOf();

    const work = withFrozen(client, async () => {
      const other = new GuestClient(guest.connect());
      await other.execute('guest-fsfreeze-thaw');
      await guest.advance(1000);
      await other.execute('guest-fsfreeze-freeze');
    });

    await expect(work).rejects.toEqual(ofKind('hold-lost'));
    expect(frozen()).toEqual([]);
  });

  it('is no good copy where the agent died and came back meanwhile, and thaws through the next one', async () => {
    const { guest, client } = await guestOf([{ on: 'guest-fsfreeze-freeze', after: 1000, do: 'agent-dies', restart: 1000 }]);
    let status: string | undefined;

    const work = withFrozen(client, async () => {
      await guest.advance(5000);
      using another = new GuestClient(guest.connect());
      status = await another.execute('guest-fsfreeze-status');
    }, { reconnect: async () => new GuestClient(guest.connect()) });

    // The freeze held, and yet nothing can be said of what happened while nobody was there.
    await expect(work).rejects.toEqual(ofKind('closed'));
    expect([status, guest.machine.fileSystems.frozen]).toEqual(['frozen', []]);
  });
});

describe('giving withFrozen up', () => {
  it('does nothing where that came before', async () => {
    const { client, guest } = await guestOf();

    await expect(withFrozen(client, async () => 1, { signal: AbortSignal.abort() })).rejects.toEqual(ofKind('aborted'));
    expect(guest.machine.faults.calls.filter((call) => call.includes('freez'))).toEqual([]);
  });

  it('thaws without waiting for work that does not listen', async () => {
    const { client, frozen } = await guestOf();
    const controller = new AbortController();
    let told: AbortSignal | undefined;

    const work = withFrozen(client, ({ signal }) => {
      told = signal;
      controller.abort('enough');
      return new Promise(() => undefined);
    }, { signal: controller.signal });

    await expect(work).rejects.toMatchObject({ kind: 'aborted', cause: 'enough' });
    expect([told?.aborted, frozen()]).toEqual([true, []]);
  });

  it('thaws what a freeze that is under way has frozen', async () => {
    const { client, guest, frozen } = await guestOf([{ at: 0, do: 'freeze-hangs', of: '/data', for: 5000 }]);
    const controller = new AbortController();

    const work = withFrozen(client, async () => 1, { signal: controller.signal });
    work.catch(() => undefined);
    await guest.advance(1000);
    controller.abort();
    await guest.advance(10_000);

    await expect(work).rejects.toEqual(ofKind('aborted'));
    expect(frozen()).toEqual([]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s thaws, and leaves the rest to whoever else listens', async (name) => {
    const { client, frozen } = await guestOf();
    let heard = 0;
    const listener = (): void => void (heard += 1);
    process.on(name, listener);

    const work = withFrozen(client, () => {
      process.kill(process.pid, name);
      return new Promise(() => undefined);
    });

    await expect(work).rejects.toMatchObject({ kind: 'aborted', cause: name });
    process.off(name, listener);
    expect([heard, frozen(), process.listenerCount(name)]).toEqual([1, [], 0]);
  });

  it('leaves signals alone where it is told to', async () => {
    const { client } = await guestOf();

    const during = await withFrozen(client, async () => process.listenerCount('SIGINT'), { handleSignals: false });

    expect(during).toBe(process.listenerCount('SIGINT'));
  });
});

describe('a channel that is lost', () => {
  const connections = (guest: FakeGuest) => async () => new GuestClient(guest.connect(), { timeoutMs: 1000 });

  it.each([
    ['at the freeze', 'closed', [{ on: 'guest-fsfreeze-freeze', do: 'connection-drops' }]],
    ['behind the freeze', 'closed', [{ on: '__org.concierge_fsfreeze-report', do: 'connection-drops' }]],
    ['at the check', 'closed', [{ on: 'guest-fsfreeze-status', do: 'connection-drops' }]],
    ['at the check of the deadline', 'closed', [{ on: '__org.concierge_fsfreeze-report', nth: 2, do: 'connection-drops' }]],
    ['at the thaw', 'copied', [{ on: 'guest-fsfreeze-thaw', do: 'connection-drops' }]],
    ['at the thaw, and when it is tried again', 'copied', [{ on: 'guest-fsfreeze-thaw', do: 'connection-drops' }, { on: 'guest-fsfreeze-thaw', nth: 2, do: 'connection-drops' }]],
    ['behind the thaw', 'hold-lost', [{ on: 'guest-fsfreeze-thaw', do: 'answer-cut', bytes: 3 }]],
  ] as const)('%s never leaves the guest frozen, nor passes for a good copy', async (_, expected, timeline) => {
    const { guest, client, frozen } = await guestOf(timeline, { realTime: true });

    const work = withFrozen(client, async () => 'copied', { reconnect: connections(guest) });

    const came = await work.then((value) => value, (error: { kind: string }) => error.kind);
    expect([came, frozen()]).toEqual([expected, []]);
  });

  it('is opened again as often as it takes', async () => {
    const { guest, client, frozen } = await guestOf([{ on: 'guest-fsfreeze-thaw', do: 'connection-drops' }], { realTime: true });
    let tries = 0;

    await withFrozen(client, async () => 1, {
      reconnect: async () => {
        tries += 1;
        if (tries < 4) throw new ClientError('closed', 'nobody listens there');
        return new GuestClient(guest.connect());
      },
    }).catch(() => undefined);

    expect([tries, frozen()]).toEqual([4, []]);
  });

  it('is told when it cannot be opened again in time', async () => {
    const { client } = await guestOf([{ on: 'guest-fsfreeze-thaw', do: 'connection-drops' }]);

    const work = withFrozen(client, async () => 1, { reconnectForMs: 5, reconnect: () => Promise.reject(new ClientError('closed', 'nobody listens there')) });

    await expect(work).rejects.toMatchObject({ kind: 'left-frozen', message: expect.stringContaining('nobody listens there') });
  });
});

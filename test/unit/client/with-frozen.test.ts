import { describe, expect, it } from 'vitest';

import { GuestClient, withFrozen, type ClientErrorKind } from '../../../client/index.ts';
import { createFakeGuest, type FakeGuestOptions, type Scenario } from '../../../kit/fake/index.ts';

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
});

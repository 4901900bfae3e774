// SPDX-License-Identifier: Apache-2.0
/** A channel that stays open and carries nothing any more, and one that never comes back, at every step of a freeze. */
import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';

import { ClientError, GuestClient, withAllFrozen, withFrozen, type GuestToFreeze } from '../../../client/index.ts';
import { createFakeGuest, type FakeGuest } from '../../../kit/fake/index.ts';
import { Relay, type Fate } from './relay.ts';

const report = '__org.concierge_fsfreeze-report';
const moments = ([['guest-sync-delimited', 1], ['guest-fsfreeze-freeze', 1], [report, 1], ['guest-fsfreeze-status', 1], [report, 2], ['guest-fsfreeze-thaw', 1]] as const)
  .flatMap(([name, nth]) => [[name, nth, 'request'] as const, [name, nth, 'answer'] as const]);

/** An agent that serves one host at a time, as QEMU's end of a port does: who comes next waits until the one before has gone. */
class Port {
  readonly guest: FakeGuest;
  readonly relay = new Relay();
  #turn = Promise.resolve();

  constructor(guest: FakeGuest) {
    this.guest = guest;
  }

  connect(): GuestClient {
    const [host, served] = duplexPair();
    const gone = new Promise<void>((resolve) => void host.once('close', resolve));
    this.#turn = this.#turn.then(() => {
      const agent = this.guest.connect();
      host.once('close', () => agent.destroy());
      if (!host.destroyed) this.relay.between(served, agent);
      return gone;
    });
    return new GuestClient(host, { timeoutMs: 50 });
  }

  frozen(): readonly string[] {
    return this.guest.machine.fileSystems.frozen;
  }
}

const portOf = async (): Promise<Port> => new Port(await createFakeGuest());

/** Whoever waits for this channel gives up when it hangs: the time limits of the calls themselves are long. */
function strike(port: Port, [name, at, phase]: (typeof moments)[number], fate: Fate, struck: () => void): void {
  port.relay.judge = (passage) => {
    if (passage.command !== name || passage.nth !== at || passage.phase !== phase) return 'pass';
    struck();
    return fate;
  };
}

const kindOf = (error: unknown): string => (ClientError.is(error) ? error.kind : String(error));

describe('a channel that hangs', () => {
  it.each(moments)('at %s, the %i. (%s) is left for another, and the guest is thawed', async (...moment) => {
    const port = await portOf();
    const giveUp = new AbortController();
    strike(port, moment, 'hang', () => giveUp.abort());
    const isThaw = moment[0] === 'guest-fsfreeze-thaw';

    const came = await withFrozen(port.connect(), async () => 'copied', {
      signal: giveUp.signal, reconnect: async () => port.connect(), thawTimeoutMs: isThaw ? 200 : 60_000,
    }).then((value) => value, kindOf);

    // A thaw that was not asked for again came too late, or nobody knows when.
    expect([came, port.frozen()]).toEqual([isThaw ? (moment[2] === 'request' ? 'copied' : 'hold-lost') : 'aborted', []]);
  });

  it.each(moments)('of one of three guests, at %s, the %i. (%s), leaves none frozen', async (...moment) => {
    const ports = await Promise.all([portOf(), portOf(), portOf()]);
    const guests = ports.map((port, index): GuestToFreeze => ({ name: 'abc'.charAt(index), client: port.connect(), reconnect: async () => port.connect() }));
    const giveUp = new AbortController();
    strike(ports[1], moment, 'hang', () => giveUp.abort());
    const isThaw = moment[0] === 'guest-fsfreeze-thaw';

    const came = await withAllFrozen(guests, async () => 'copied', { signal: giveUp.signal, thawTimeoutMs: isThaw ? 200 : 60_000 }).then(({ result }) => result, kindOf);

    expect(['aborted', 'hold-lost', ...(isThaw ? ['copied'] : [])]).toContain(came);
    expect(ports.map((port) => port.frozen())).toEqual([[], [], []]);
  });
});

describe('a channel that breaks and never comes back', () => {
  const reconnect = (): Promise<GuestClient> => Promise.reject(new ClientError('closed', 'nobody listens there'));

  it.each(moments)('at %s, the %i. (%s) is told of, and never passes for a good copy', async (...moment) => {
    const port = await portOf();
    strike(port, moment, 'cut', () => undefined);

    const came = await withFrozen(port.connect(), async () => 'copied', { reconnect, reconnectForMs: 5 }).then((value) => value, kindOf);
    await port.guest.advance(600_000);

    // Before the freeze was sent, there was nothing to thaw.
    expect([came, port.frozen()]).toEqual([moment[0] === 'guest-sync-delimited' ? 'closed' : 'left-frozen', []]);
  });

  it.each(moments)('of one of three guests, at %s, the %i. (%s), leaves the others thawed', async (...moment) => {
    const ports = await Promise.all([portOf(), portOf(), portOf()]);
    strike(ports[1], moment, 'cut', () => undefined);

    const came = await withAllFrozen(ports.map((port, index) => ({ name: 'abc'.charAt(index), client: port.connect(), reconnect })), async () => 'copied', { reconnectForMs: 5 })
      .then(({ result }) => result, (error: unknown) => [kindOf(error), String(error).includes('b: ')]);

    expect([came, ports[0].frozen(), ports[2].frozen()]).toEqual([[moment[0] === 'guest-sync-delimited' ? 'closed' : 'left-frozen', true], [], []]);
    await ports[1].guest.advance(600_000);
    expect(ports[1].frozen()).toEqual([]);
  });
});

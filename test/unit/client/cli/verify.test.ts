// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

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

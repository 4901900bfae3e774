// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine } from '../../../kit/fake/index.ts';

describe('the clock of the fake', () => {
  it('stands still until it is advanced', async () => {
    const { clock } = createFakeMachine();
    const start = clock.now();

    await clock.advance(1500);

    expect(clock.now() - start).toBe(1_500_000_000n);
    expect(clock.monotonic()).toBe(1_500_000_000n);
  });

  it('fires timers at their own times, those that a timer starts too', async () => {
    const { clock } = createFakeMachine();
    const fired: [string, bigint][] = [];
    clock.after(200, () => fired.push(['second', clock.monotonic()]));
    clock.after(100, () => {
      fired.push(['first', clock.monotonic()]);
      clock.after(50, () => fired.push(['between', clock.monotonic()]));
    });

    await clock.advance(1000);

    expect(fired).toEqual([['first', 100_000_000n], ['between', 150_000_000n], ['second', 200_000_000n]]);
    expect(clock.waitingTimers).toBe(0);
  });

  it('lets a chain of promises end before the next timer fires', async () => {
    const { clock } = createFakeMachine();
    const seen: string[] = [];
    const chain = async (): Promise<void> => {
      await clock.sleep(10);
      await Promise.resolve();
      seen.push('chain');
    };
    void chain();
    clock.after(11, () => seen.push('timer'));

    await clock.advance(20);

    expect(seen).toEqual(['chain', 'timer']);
  });

  it('sets the wall clock and the hardware clock, and leaves monotonic time alone', async () => {
    const { clock, backend } = createFakeMachine();
    await clock.advance(5);

    await backend.clock.setting?.set(2_000_000_000_000_000_000n);

    expect(clock.now()).toBe(2_000_000_000_000_000_000n);
    expect(clock.hardware()).toBe(2_000_000_000_000_000_000n);
    expect(clock.monotonic()).toBe(5_000_000n);
  });

  it('takes the time from the hardware clock after a snapshot', async () => {
    const { clock, backend } = createFakeMachine();
    clock.setHardware(1_800_000_000_000_000_000n);

    await backend.clock.setting?.setFromHardware();

    expect(clock.now()).toBe(1_800_000_000_000_000_000n);
  });

  it('has no hardware clock where the description says so', async () => {
    const { backend } = createFakeMachine({ hardwareClock: 'absent' });

    await expect(backend.clock.setting?.setFromHardware()).rejects.toThrow(/hardware clock cannot be reached/u);
  });

  it('may not be set by an agent that is not root', async () => {
    const { backend } = createFakeMachine({ agent: { uid: 1000 } });

    await expect(backend.clock.setting?.set(1n)).rejects.toThrow('Operation not permitted');
  });

  it('goes on by itself in real time and refuses to be advanced', async () => {
    const { clock } = createFakeMachine({ realTime: true });

    await new Promise<void>((resolve) => {
      // The timer does not keep the process alive; this one does.
      const alive = setTimeout(() => {}, 60_000);
      clock.after(1, () => {
        clearTimeout(alive);
        resolve();
      });
    });

    expect(clock.monotonic()).toBeGreaterThan(0n);
    await expect(clock.advance(1)).rejects.toThrow(/real time/u);
  });
});

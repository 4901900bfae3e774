// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../errors/agent-error.ts';
import type { Clock, ReferenceClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ResultOf } from '../schema/command.ts';
import type { conciergeGeneration } from '../schema/generation.ts';
import { behind, exactEnough } from './behind.ts';
import { bounded } from './bounded.ts';

export type GenerationReport = ResultOf<typeof conciergeGeneration>;
export type ClockCheck = NonNullable<GenerationReport['clock']>;
type Outcome = Omit<ClockCheck, 'occasion' | 'checked-at'>;

const NS_PER_MS = 1_000_000n;
/** A snapshot of so long ago is rarer than a clock that tells nonsense: one whose battery is empty, or a host that was never set. */
const mostYears = 5n;
const most = (mostYears * 36_525n * 86_400n * 10n ** 9n) / 100n;

export interface ClockCorrection {
  readonly clock: Clock;
  readonly log: Log;
  /** What it may be off by, in milliseconds; 0: it is never stepped. */
  readonly limitMs: number;
}

/**
 * Sets the wall clock right from the best clock that goes on while the guest stands still, where it is off by more than the limit and
 * not by years. Never rejects.
 */
export async function correctClock(correction: ClockCorrection, occasion: ClockCheck['occasion']): Promise<ClockCheck> {
  const outcome = await correct(correction);
  return { ...outcome, occasion, 'checked-at': correction.clock.now() };
}

async function correct({ clock, log, limitMs }: ClockCorrection): Promise<Outcome> {
  const { references } = clock;
  let passedOver: Outcome = { result: 'unknown', detail: 'this machine has no clock that goes on while it stands still' };
  if (references === undefined) return passedOver;
  try {
    for (const source of await bounded(clock, () => references.list())) {
      // oxlint-disable-next-line no-await-in-loop -- the next one only where this one is of no use
      const outcome = await compare(clock, source, limitMs);
      if (outcome.result !== 'refused' && outcome.result !== 'failed') return outcome;
      passedOver = outcome;
      log.warning(() => `${source.name} is not believed: ${String(outcome.detail)}`);
    }
  } catch (error) {
    passedOver = { result: 'failed', detail: messageOf(error) };
    log.warning(() => `the clocks of the hypervisor cannot be listed: ${messageOf(error)}`);
  }
  return passedOver;

  async function compare(of: Clock, source: ReferenceClock, limit: number): Promise<Outcome> {
    const named = { source: source.name };
    try {
      const reading = await bounded(of, () => source.read('at once'));
      const offBy = behind(of, reading);
      const off = { ...named, 'off-by': offBy };
      if (offBy > most || offBy < -most) {
        return { ...off, result: 'refused', detail: `the wall clock would be off by more than ${mostYears} years (${seconds(offBy)} s)` };
      }
      const slack = BigInt(limit) * NS_PER_MS;
      if (offBy <= slack && offBy + reading.within >= -slack) return { ...off, result: 'right' };
      if (limit === 0) return { ...off, result: 'left' };
      const exact = reading.within <= exactEnough ? offBy : behind(of, await bounded(of, () => source.read('exactly')));
      await references?.step(exact);
      log.warning(() => `the wall clock was ${seconds(exact)} s behind ${source.name}, and has been set right`);
      return { ...named, 'off-by': exact, result: 'stepped' };
    } catch (error) {
      return { ...named, result: 'failed', detail: messageOf(error) };
    }
  }
}

const seconds = (ns: bigint): string => (Number(ns) / 1e9).toFixed(3);

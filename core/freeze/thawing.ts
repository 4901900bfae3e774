import { AgentError, withContext, messageOf } from '../errors/agent-error.ts';
import type { FreezeSession, FrozenTarget, ThawOutcome } from '../ports/freezing.ts';
import type { FreezeParts } from './parts.ts';
import type { FreezeRecord } from './record.ts';

/** A session, what it is about in the order of freezing, and where it is noted. */
export interface BegunFreeze {
  readonly session: FreezeSession;
  readonly targets: readonly FrozenTarget[];
  readonly record: FreezeRecord;
}

export interface SessionThaw {
  readonly outcomes: readonly ThawOutcome[];
  /** Of a file system that is frozen still, for all that is known. */
  readonly failure: AgentError | undefined;
}

/** Thaws a session, and once more without it what it could not. Never rejects. */
export async function thawSession({ session, targets, record }: BegunFreeze, parts: FreezeParts): Promise<SessionThaw> {
  let outcomes: readonly ThawOutcome[] = [];
  try {
    outcomes = await session.thaw();
    record.thawed(outcomes);
    if (firstFailure(outcomes) === undefined) return { outcomes, failure: undefined };
  } catch (error) {
    parts.log.error(() => `the holder of the freeze failed to thaw: ${messageOf(error)}`);
  }
  const direct = await thawDirectly(targets, parts, record);
  return { outcomes: [...outcomes, ...direct.outcomes], failure: direct.failure };
}

/** Thaws without a session. Never rejects. */
export async function thawDirectly(targets: readonly FrozenTarget[], { freezing }: FreezeParts, record: FreezeRecord): Promise<SessionThaw> {
  try {
    const outcomes = await freezing.thawEverything(targets.toReversed());
    record.thawed(outcomes);
    return { outcomes, failure: firstFailure(outcomes) };
  } catch (error) {
    return { outcomes: [], failure: withContext('failed to thaw', error) };
  }
}

/** Of file systems that should have been thawed and were not. One that is not frozen any more is fine. */
export function firstFailure(outcomes: readonly ThawOutcome[]): AgentError | undefined {
  const failed = outcomes.find(({ thawed, error }) => !thawed && error !== undefined);
  return failed?.error === undefined ? undefined : AgentError.failed(failed.error);
}

// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf, osCode, withContext } from '../errors/agent-error.ts';
import type { FreezeEnd, FreezeOutcome, FreezeSession, FrozenTarget, ThawOutcome } from '../ports/freezing.ts';
import type { FreezeContext } from './context.ts';
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
  /** With a failure: what it may be about. */
  readonly remains: readonly FrozenTarget[];
}

/** @throws os error `failed to open DIR: STRERROR`, or what else kept the session from coming about */
export async function beginSession(context: FreezeContext, levels: readonly (readonly FrozenTarget[])[]): Promise<FreezeSession> {
  const { freezing, stateStore, log, settings } = context;
  try {
    return await freezing.begin({
      levels,
      deadlineMs: settings.deadlineMs,
      freezeWithinMs: settings.withinMs,
      stateDirectory: stateStore.directory,
    });
  } catch (error) {
    const path = AgentError.is(error) ? error.os?.path : undefined;
    if (osCode(error) === 'EACCES') {
      log.error(() => `opening ${path ?? 'a mount point'} was forbidden: where root is, that is SELinux or AppArmor; see its audit log`);
    }
    throw withContext(path === undefined ? 'failed to prepare the freeze' : `failed to open ${path}`, error);
  }
}

/** @throws failed error, the first of a file system that did not freeze */
export function demandSuccess(outcomes: readonly FreezeOutcome[]): void {
  const failed = outcomes.find(({ result }) => result === 'failed');
  if (failed !== undefined) throw AgentError.failed(failed.error ?? `failed to freeze ${failed.mountPoint}`);
}

/** How a session ends without a thaw. A holder that breaks its word and rejects is as good as lost. */
export function endOf(session: FreezeSession, { clock }: FreezeContext): Promise<FreezeEnd> {
  return session.ended.catch((error: unknown): FreezeEnd =>
    ({ reason: 'holder-lost', detail: `the holder of the freeze is lost: ${messageOf(error)}`, at: clock.now(), thawed: [] }));
}

/** `endOf` a session that is known to have ended: told at once, but for a holder that keeps its word badly. */
export function newsOf(session: FreezeSession, context: FreezeContext): Promise<FreezeEnd | undefined> {
  const { promise, resolve } = Promise.withResolvers<FreezeEnd | undefined>();
  const timer = context.clock.after(1_000, () => resolve(undefined));
  void endOf(session, context).then(resolve);
  return promise.finally(() => timer.cancel());
}

/** Where no session was begun. */
export const nothingThawed: SessionThaw = { outcomes: [], failure: undefined, remains: [] };

/** Thaws a session, and once more without it what it could not. Never rejects. */
export async function thawSession({ session, targets, record }: BegunFreeze, context: FreezeContext): Promise<SessionThaw> {
  let outcomes: readonly ThawOutcome[] = [];
  try {
    outcomes = await session.thaw();
    record.thawed(outcomes);
    if (firstFailure(outcomes) === undefined) return { outcomes, failure: undefined, remains: [] };
  } catch (error) {
    context.log.error(() => `the holder of the freeze failed to thaw: ${messageOf(error)}`);
  }
  const direct = await thawDirectly(targets, context, record);
  return { ...direct, outcomes: [...outcomes, ...direct.outcomes] };
}

/** Thaws without a session. Never rejects. */
export async function thawDirectly(targets: readonly FrozenTarget[], { freezing }: FreezeContext, record?: FreezeRecord): Promise<SessionThaw> {
  try {
    const outcomes = await freezing.thawEverything(targets.toReversed());
    record?.thawed(outcomes);
    const failure = firstFailure(outcomes);
    return { outcomes, failure, remains: failure === undefined ? [] : targets };
  } catch (error) {
    return { outcomes: [], failure: withContext('failed to thaw', error), remains: targets };
  }
}

/** Of file systems that should have been thawed and were not. One that is not frozen any more is fine. */
export function firstFailure(outcomes: readonly ThawOutcome[]): AgentError | undefined {
  const failed = outcomes.find(({ thawed, error }) => !thawed && error !== undefined);
  return failed?.error === undefined ? undefined : AgentError.failed(failed.error);
}

/** Ids of what is thawed for certain. */
export const settledBy = (outcomes: readonly ThawOutcome[]): Set<string> =>
  new Set(outcomes.filter(({ thawed, error, leftOut }) => thawed || (error === undefined && leftOut === undefined)).map(({ id }) => id));

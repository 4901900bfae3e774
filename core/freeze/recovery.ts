// SPDX-License-Identifier: Apache-2.0
import { messageOf, type AgentError } from '../errors/agent-error.ts';
import type { FreezeMarkerData, FreezeSession, ThawOutcome } from '../ports/freezing.ts';
import type { FreezeContext } from './context.ts';
import { HookRound } from './hooks.ts';
import { forgetMarker, hooksOnly } from './marker.ts';
import type { FreezeRecord } from './record.ts';
import { firstFailure, thawDirectly, thawSession, type SessionThaw } from './session.ts';

export interface LeftBehindThaw {
  /** How many file systems were thawed. */
  readonly count: number;
  /** Of a file system that is frozen still, for all that is known: the marker stays. */
  readonly failure: AgentError | undefined;
  readonly hookFailure: AgentError | undefined;
}

/**
 * Thaws what the marker of an agent that is gone lists and nothing else, with hooks, and forgets it.
 *
 * @throws what the backend says where it cannot list what to thaw
 */
export async function thawLeftBehind(marker: FreezeMarkerData, context: FreezeContext, record: FreezeRecord): Promise<LeftBehindThaw> {
  record.froze(marker.targets.map((target) => ({ ...target, result: 'frozen' })));
  const { outcomes, failure } = await thawMarked(marker, context, record);
  const count = countThawed(outcomes);
  record.end('thaw', context.clock.now(), 'what an earlier agent left frozen was thawed');
  context.log.warning(() => `what an agent had left frozen is thawed: ${count} file systems`);
  if (failure === undefined) await forgetMarker(context);
  return { count, failure, hookFailure: await (await HookRound.forThaw(context.hooks, record.hooks)).thaw() };
}

async function thawMarked(marker: FreezeMarkerData, context: FreezeContext, record: FreezeRecord): Promise<SessionThaw> {
  const { targets } = marker;
  const session = await recoverSession(marker, context);
  if (session !== undefined) return thawSession({ session, targets, record }, context);
  if (targets.length > 0) return thawDirectly(targets, context, record);
  if (marker.recoveryData['stage'] === hooksOnly.stage) return { outcomes: [], failure: undefined, remains: [] };
  // A marker that lists nothing is qemu-ga's: anything may be frozen.
  const outcomes = await context.freezing.thawEverything();
  return { outcomes, failure: firstFailure(outcomes), remains: [] };
}

/** The session of the agent that is gone, where its holder can be reached. */
export async function recoverSession(marker: FreezeMarkerData, { freezing, log }: FreezeContext): Promise<FreezeSession | undefined> {
  try {
    return await freezing.recover(marker);
  } catch (error) {
    log.warning(() => `the holder of an earlier freeze cannot be reached: ${messageOf(error)}`);
    return undefined;
  }
}

const countThawed = (outcomes: readonly ThawOutcome[]): number =>
  new Set(outcomes.filter(({ thawed }) => thawed).map(({ id }) => id)).size;

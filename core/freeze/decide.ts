// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { FrozenTarget } from '../ports/freezing.ts';
import type { FreezeContext } from './context.ts';
import { nameOf, planFreeze, type FreezePlan } from './plan.ts';
import type { FreezeRecord } from './record.ts';

/** What a freeze would do now. Touches nothing. @throws failed error when the list of mounts cannot be read */
export async function planNow({ freezing, settings }: FreezeContext, mountPoints: readonly string[] | undefined): Promise<FreezePlan> {
  return planFreeze(await freezing.survey(), { mountPoints, excluded: settings.excluded });
}

/** The plan, with its surprises logged. Answers the order of freezing. @throws failed error naming what is no mount point, is covered, or would hang */
export async function decide(
  context: FreezeContext,
  mountPoints: readonly string[] | undefined,
  record: FreezeRecord,
): Promise<readonly (readonly FrozenTarget[])[]> {
  const { log, settings } = context;
  const plan = await planNow(context, mountPoints);
  record.leftOut = plan.leftOut;
  if (plan.unmatched.length > 0) {
    const sentence = `failed to freeze ${plan.unmatched.join(', ')}: no file system is mounted there`;
    if (settings.unknownMountPoints === 'error') throw AgentError.failed(sentence);
    log.warning(sentence);
  }
  if (plan.covered.length > 0) {
    throw AgentError.failed(`failed to freeze ${plan.covered.join(', ')}: the file system there is covered by another mount`);
  }
  for (const { mountPoint, reason, detail } of plan.leftOut) {
    const line = (): string => `${mountPoint} is not frozen: ${detail}`;
    if (reason === 'covered' || reason === 'no-device') log.warning(line);
    else if (reason !== 'pseudo') log.debug(line);
  }
  for (const mountPoint of plan.idleExclusions) log.warning(() => `fsfreeze-exclude names ${mountPoint}, where nothing is mounted`);
  for (const mountPoint of plan.cutCycles) log.warning(() => `${mountPoint} seems to rest on itself: it is frozen in mount order`);
  for (const candidate of plan.levels.flat()) {
    if (candidate.suspended !== undefined) throw AgentError.failed(`failed to freeze ${nameOf(candidate)}: ${candidate.suspended}`);
  }
  return plan.levels.map((level) => level.map((candidate) => ({ id: candidate.id, mountPoint: nameOf(candidate) })));
}

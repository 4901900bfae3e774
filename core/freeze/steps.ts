import { AgentError, osCode, withContext } from '../errors/agent-error.ts';
import type { FreezeOutcome, FreezeSession, FrozenTarget } from '../ports/freezing.ts';
import type { FreezeParts } from './parts.ts';
import { nameOf, planFreeze, type FreezePlan } from './plan.ts';
import type { FreezeRecord } from './record.ts';

/** What a freeze would do now. Touches nothing. @throws failed error when the list of mounts cannot be read */
export async function planNow({ freezing, settings }: FreezeParts, mountPoints: readonly string[] | undefined): Promise<FreezePlan> {
  return planFreeze(await freezing.survey(), { mountPoints, excluded: settings.excluded });
}

/** The plan, with its surprises told. Answers the order of freezing. @throws failed error naming what is no mount point */
export async function decide(
  parts: FreezeParts,
  mountPoints: readonly string[] | undefined,
  record: FreezeRecord,
): Promise<readonly (readonly FrozenTarget[])[]> {
  const { log, settings } = parts;
  const plan = await planNow(parts, mountPoints);
  record.leftOut = plan.leftOut;
  if (plan.unmatched.length > 0) {
    const sentence = `failed to freeze ${plan.unmatched.join(', ')}: no file system is mounted there`;
    if (settings.unknownMountPoints === 'error') throw AgentError.failed(sentence);
    log.warning(sentence);
  }
  for (const { mountPoint, reason, detail } of plan.leftOut) {
    const line = (): string => `${mountPoint} is not frozen: ${detail}`;
    if (reason === 'covered' || reason === 'no-device') log.warning(line);
    else if (reason !== 'pseudo') log.debug(line);
  }
  for (const mountPoint of plan.cutCycles) log.warning(() => `${mountPoint} seems to rest on itself: it is frozen in mount order`);
  return plan.levels.map((level) => level.map((candidate) => ({ id: candidate.id, mountPoint: nameOf(candidate) })));
}

/** @throws os error `failed to open DIR: STRERROR`, or what else kept the session from coming about */
export async function beginSession(parts: FreezeParts, levels: readonly (readonly FrozenTarget[])[]): Promise<FreezeSession> {
  const { freezing, stateStore, log, settings } = parts;
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

export async function writeMarker(
  { stateStore }: FreezeParts,
  targets: readonly FrozenTarget[],
  deadlineAt: bigint,
  recoveryData: Readonly<Record<string, string>>,
): Promise<void> {
  await stateStore.writeFreezeMarker({ bootId: await stateStore.bootId(), targets, deadlineAt, recoveryData });
}

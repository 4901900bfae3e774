// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../errors/agent-error.ts';
import type { FrozenTarget } from '../ports/freezing.ts';
import type { FreezeContext } from './context.ts';

/** `recoveryData` of the marker while hooks run and nothing is frozen yet. */
export const hooksOnly = { stage: 'hooks' } as const;

/** @throws what the state store says: nothing may be frozen without a marker */
export async function writeMarker(
  { stateStore }: FreezeContext,
  targets: readonly FrozenTarget[],
  deadlineAt: bigint,
  recoveryData: Readonly<Record<string, string>>,
): Promise<void> {
  await stateStore.writeFreezeMarker({ bootId: await stateStore.bootId(), targets, deadlineAt, recoveryData });
}

/** For when nothing is frozen that the marker could be about. A marker that stays only costs the next start a look. */
export async function forgetMarker({ stateStore, log }: FreezeContext): Promise<void> {
  try {
    await stateStore.removeFreezeMarker();
  } catch (error) {
    log.warning(() => messageOf(error));
  }
}

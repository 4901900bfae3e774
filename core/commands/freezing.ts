// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import { nameOf } from '../freeze/plan.ts';
import type { TrimOutcome } from '../ports/index.ts';
import {
  conciergeFsfreezePlan, conciergeFsfreezeReport, guestFsfreezeFreeze, guestFsfreezeFreezeList, guestFsfreezeStatus, guestFsfreezeThaw, guestFstrim,
} from '../schema/freezing.ts';
import { available, handler, type CommandContext } from './command.ts';
import { present } from './present.ts';

const controller = ({ freeze: its }: CommandContext) => available(its, 'fileSystem.freezing');

export const freezeStatus = handler(guestFsfreezeStatus, (context) => {
  const its = controller(context);
  return its.whenSettled(() => its.status);
});

export const freeze = handler(guestFsfreezeFreeze, (context) => {
  context.log.account('guest-fsfreeze called');
  return controller(context).freeze();
});

export const freezeList = handler(guestFsfreezeFreezeList, (context, { mountpoints }) => {
  context.log.account('guest-fsfreeze called');
  return controller(context).freeze(mountpoints);
});

export const thaw = handler(guestFsfreezeThaw, async (context) => {
  const count = await controller(context).thaw();
  context.log.account('guest-fsthaw called');
  return count;
});

export const fstrim = handler(guestFstrim, async ({ backend, log }, { minimum = 0n }) => {
  log.account('guest-fstrim called');
  try {
    // fstrim_range.minlen is unsigned.
    const outcomes = await available(backend.fileSystem?.trimming, 'fileSystem.trimming').trim(BigInt.asUintN(64, minimum));
    return { paths: outcomes.map(trimResult).toReversed() };
  } catch (error) {
    throw withContext('failed to trim', error);
  }
});

const signed = (value: bigint | undefined): bigint | undefined => (value === undefined ? undefined : BigInt.asIntN(64, value));

const trimResult = ({ path, trimmed, minimum, error }: TrimOutcome) =>
  present({ path, trimmed: signed(trimmed), minimum: signed(minimum), error });

export const freezeReport = handler(conciergeFsfreezeReport, (context) => {
  const its = controller(context);
  return its.whenSettled(() => its.report());
});

export const freezePlan = handler(conciergeFsfreezePlan, async (context, { mountpoints }) => {
  const { levels, leftOut, unmatched, covered, cutCycles, idleExclusions } = await controller(context).plan(mountpoints);
  const hooks = (await context.backend.hooks?.list()) ?? [];
  return {
    filesystems: levels.flatMap((level, index) =>
      level.map((candidate) => present({
        mountpoint: nameOf(candidate),
        'also-mounted-at': candidate.mountPoints.slice(1),
        type: candidate.type,
        source: candidate.source,
        level: index + 1,
        'dirty-bytes': candidate.dirtyBytes,
        'flush-estimate-ms': candidate.flushEstimateMs === undefined ? undefined : Math.round(candidate.flushEstimateMs),
      }))),
    'left-out': leftOut.map(({ mountPoint, ...why }) => ({ mountpoint: mountPoint, ...why })),
    unmatched,
    covered,
    'idle-exclusions': idleExclusions,
    'cut-cycles': cutCycles,
    hooks: hooks.map(({ name, refused }) => present({ name, refused })),
  };
});

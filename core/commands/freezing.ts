import { withContext } from '../errors/agent-error.ts';
import type { TrimOutcome } from '../ports/index.ts';
import {
  conciergeFsfreezeReport, guestFsfreezeFreeze, guestFsfreezeFreezeList, guestFsfreezeStatus, guestFsfreezeThaw, guestFstrim,
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

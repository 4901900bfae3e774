// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../../../core/errors/agent-error.ts';
import type { Backend, FreezeTarget, Trial, TrialOutcome } from '../../../core/ports/index.ts';
import { within } from '../../shared/within.ts';

/** One line of the report. */
export interface TrialReport extends TrialOutcome {
  readonly trial: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** A freeze of Windows may wait for databases; everything else is shorter. */
const limitMs = 300_000;
/** The self-test's own freeze ends by itself, whatever becomes of this process. */
const deadlineMs = 8_000;

const sized = (what: unknown): string => (Array.isArray(what) ? `${what.length} entries` : 'an answer');

/** Every fact that the backend brings, by the name of the command that asks for it. */
function facts(backend: Backend): readonly Trial[] {
  const { network, fileSystem, accounts, processors, memory, host, clock } = backend;
  const ask = <T>(group: T | undefined, how: (its: T) => unknown): (() => unknown) | undefined => group && (() => how(group));
  const asked: readonly (readonly [string, (() => unknown) | undefined])[] = [
    ['guest-get-time', ask(clock, (its) => its.now())],
    ['guest-network-get-interfaces', ask(network?.interfaces, (its) => its.list())],
    ['guest-network-get-route', ask(network?.routes, (its) => its.list())],
    ['guest-get-fsinfo', ask(fileSystem?.usage, (its) => its.list())],
    ['guest-get-disks', ask(fileSystem?.disks, (its) => its.list())],
    ['guest-get-diskstats', ask(fileSystem?.diskStatistics, (its) => its.list())],
    ['guest-get-vcpus', ask(processors?.online, (its) => its.list())],
    ['guest-get-cpustats', ask(processors?.statistics, (its) => its.list())],
    ['guest-get-load', ask(processors?.load, (its) => its.average())],
    ['guest-get-memory-blocks', ask(memory?.blocks, (its) => its.list())],
    ['guest-get-users', ask(accounts?.sessions, (its) => its.list())],
    ['guest-get-host-name', ask(host?.hostName, (its) => its.get())],
    ['guest-get-timezone', ask(host?.timeZone, (its) => its.get())],
    ['guest-get-osinfo', ask(host?.osInformation, (its) => its.get())],
    ['guest-get-devices', ask(host?.devices, (its) => its.list())],
    ['guest-get-driver-packages', ask(host?.driverPackages, (its) => its.list())],
    ['guest-get-driver-services', ask(host?.driverServices, (its) => its.list())],
  ];
  return asked.map(([subject, answer]) => ({
    subject,
    run: async () => (answer === undefined ? { result: 'not here', detail: 'this backend has no such command' } : { result: 'passed', detail: sized(await answer()) }),
  }));
}

/** Freezes these and thaws them, over the code of the agent, with the time of each step. */
export async function freezeAndThaw(backend: Backend, targets: readonly FreezeTarget[], stateDirectory: string): Promise<TrialOutcome> {
  const freezing = backend.fileSystem?.freezing;
  if (freezing === undefined) return { result: 'not here', detail: 'this backend freezes nothing' };
  if (targets.length === 0) return { result: 'not here', detail: 'nothing here can be frozen' };
  const times: Record<string, number> = {};
  const timed = async <T>(step: string, work: Promise<T>): Promise<T> => {
    const begun = performance.now();
    const answer = await work;
    times[step] = Math.round((performance.now() - begun) * 10) / 10;
    return answer;
  };
  const session = await timed('prepare', freezing.begin({ levels: targets.map((target) => [target]), deadlineMs, freezeWithinMs: 60_000, stateDirectory }));
  try {
    await timed('flush', session.flush());
    const frozen = await timed('freeze', session.freeze());
    const thawed = await timed('thaw', session.thaw());
    const failed = frozen.flatMap(({ error }) => error ?? []).concat(thawed.flatMap(({ error }) => error ?? []));
    const count = frozen.filter(({ result }) => result === 'frozen').length;
    const detail = [`${count} frozen and thawed`, ...failed, ...(session.warnings ?? [])].join('; ');
    return { result: failed.length > 0 || count === 0 ? 'failed' : 'passed', detail, times };
  } finally {
    await session.thaw().catch(() => {});
  }
}

/** Tries what `doctor` only looks at. One after the other: a figure is of one thing. */
export async function selfTest(backend: Backend, stateDirectory: string, only?: string): Promise<readonly TrialReport[]> {
  const trials: readonly Trial[] = only === undefined
    ? [...facts(backend), ...(backend.diagnosis?.trials?.((targets) => freezeAndThaw(backend, targets, stateDirectory)) ?? [])]
    : [{ subject: 'freeze and thaw', run: async () => freezeAndThaw(backend, await targetAt(backend, only), stateDirectory) }];
  const reports: TrialReport[] = [];
  for (const trial of trials) reports.push(await report(trial));
  return reports;
}

async function targetAt(backend: Backend, mountPoint: string): Promise<readonly FreezeTarget[]> {
  const survey = (await backend.fileSystem?.freezing?.survey()) ?? [];
  return survey.filter(({ leftOut, mountPoints }) => leftOut === undefined && mountPoints.includes(mountPoint)).map(({ id }) => ({ id, mountPoint }));
}

async function report(trial: Trial): Promise<TrialReport> {
  const begun = performance.now();
  const ms = (): number => Math.round(performance.now() - begun);
  try {
    const outcome = await within(limitMs, trial.run());
    return { trial: trial.subject, ...(outcome ?? { result: 'failed', detail: `no end within ${limitMs / 1000} s` }), ms: ms() };
  } catch (error) {
    return { trial: trial.subject, result: 'failed', detail: messageOf(error), ms: ms() };
  }
}

// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError, posixErrorOf } from '../../../core/errors/posix-errno.ts';
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import type {
  FreezeCandidate, FreezeMarkerData, FreezeRequest, FreezeSession, Freezing, FrozenTarget, ThawOutcome,
} from '../../../core/ports/freezing.ts';
import { mountPath } from '../block/mounts.ts';
import { GuardedSession, numbers, type GuardedSessionOptions, type Heard } from './freeze-session.ts';
import { surveyTable, surveyWith, type MountedFileSystem } from './freeze-survey.ts';
import { mayExpedite, noted, restoreGracePeriods } from './grace-periods.ts';
import { connectToGuardian, defaultGuardianPath, heldGuardian, isStopped, signalling, startGuardian, type StartedGuardian } from './guardian.ts';
import { HeldMounts, type Place } from './held-mounts.ts';
import { SpareGuardian } from './spare-guardian.ts';
import { KeptSurvey } from './kept-survey.ts';
import { MountList } from './mount-list.ts';
import { hex, isAsked, stepsFor, stepsForOthers, type Step } from './thaw-steps.ts';

export interface LinuxFreezingOptions {
  readonly guardianPath?: string;
  /** What outlives the agent. */
  readonly kept?: Pick<KeptDescriptors, 'guard'>;
  /** Put before /proc, /sys and /dev: '' for the running system. */
  readonly root?: string;
  /** Flushing takes at most this before the freeze gives up, in milliseconds; 0: for ever. */
  readonly flushLimitMs?: number;
}

/** What `begin` makes of 16 bytes; a marker is a file, and files are damaged. */
const cookiePattern = /^[0-9a-f]{32}$/;

/** For opening mount points, which a dead disk can hold up for ever. */
const openLimitMs = 30_000;

/** After this a guardian that is not ready is looked at: one that somebody has stopped never will be. */
const silenceLimitMs = 5_000;

/** For thawing without a session, which takes milliseconds but for a call that hangs. */
const thawLimitMs = 10_000;

/** Freezes through FIFREEZE and FITHAW, made by a guardian process of each freeze's own. */
export class LinuxFreezing implements Freezing {
  readonly #guardianPath: string;
  readonly #guardian: string;
  readonly #kept: LinuxFreezingOptions['kept'];
  readonly #root: string;
  readonly #flushLimitMs: number;
  readonly #mounts: MountList;
  readonly #survey = new KeptSurvey();
  /** Between `prepare` and its cancellation: how much is still to be written back decides nothing. */
  #isAboutToFreeze = false;
  #latest = '';
  #over: { readonly guardian: StartedGuardian; readonly isReusable: boolean } | undefined;
  /** Of the last freeze, ready for the next one. */
  readonly #spare = new SpareGuardian();
  #prepared: Promise<StartedGuardian> | undefined;
  /** Of freezes of which something may be frozen still. */
  readonly #holds = new Set<HeldMounts>();

  constructor(options: LinuxFreezingOptions = {}) {
    this.#guardianPath = options.guardianPath ?? defaultGuardianPath();
    this.#guardian = heldGuardian(this.#guardianPath);
    this.#kept = options.kept;
    this.#root = options.root ?? '';
    this.#mounts = new MountList(this.#root);
    this.#flushLimitMs = options.flushLimitMs ?? 60_000;
  }

  // oxlint-disable-next-line require-await -- reads what the kernel makes up; a failure is a rejection
  async survey(): Promise<readonly FreezeCandidate[]> {
    const table = this.#mounts.table();
    if (this.#isAboutToFreeze) return this.#survey.of(table, (its) => surveyWith(its, this.#root));
    return surveyTable(table, this.#root).map(({ candidate }) => candidate);
  }

  /** The guardian starts on another processor while the mounts are looked through. */
  prepare(): { cancel(): void } {
    this.#isAboutToFreeze = true;
    const starting = this.#spare.isThere ? undefined : this.#start();
    this.#prepared = starting;
    // Its failure is that of the freeze that needs it.
    starting?.catch(() => {});
    return {
      cancel: () => {
        this.#isAboutToFreeze = false;
        if (this.#prepared !== starting) return;
        this.#prepared = undefined;
        starting?.then(end, () => {});
      },
    };
  }

  #started(): Promise<StartedGuardian> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared ?? this.#start();
  }

  #start(): Promise<StartedGuardian> {
    return startGuardian(this.#guardian, this.#guardianPath, this.#kept?.guard);
  }

  async begin(request: FreezeRequest): Promise<FreezeSession> {
    const spare = this.#spare.take();
    if (spare === undefined) return this.#begin(request, this.#started());
    let isHeard = false;
    const stop = spare.link.listen(() => {
      isHeard = true;
    });
    try {
      return await this.#begin(request, Promise.resolve(spare));
    } catch (error) {
      if (isHeard) throw error;
      // Somebody has killed it while it waited.
      return await this.#begin(request, this.#start());
    } finally {
      stop();
    }
  }

  async #begin(request: FreezeRequest, starting: Promise<StartedGuardian>): Promise<FreezeSession> {
    const targets = request.levels.flat();
    const cookie = randomBytes(16).toString('hex');
    const places = placesOf(targets, this.#mounts.table().fileSystems);
    const expedite = mayExpedite(this.#root);
    const orders = [
      ...ordersFor(request.levels, places),
      `prepare ${milliseconds(request.deadlineMs)} ${milliseconds(request.freezeWithinMs)} `
        + `${milliseconds(this.#flushLimitMs)} ${expedite ? 1 : 0} ${cookie} ${hex(request.stateDirectory)}\n`,
      'flush\n',
    ];
    const early: Heard[] = [];
    let stop = (): void => undefined;
    const [started, holding] = await Promise.allSettled([
      starting.then((guardian) => {
        stop = guardian.link.listen((verb, fields) => early.push([verb, fields]));
        // In one go: it flushes as soon as it is ready, while the marker is written.
        guardian.link.send(orders.join(''));
        const ready = this.#ready(guardian, targets);
        // Nobody may come to ask for it.
        ready.catch(() => {});
        return { guardian, ready };
      }),
      HeldMounts.hold(targets, places, expedite),
    ]);
    if (started.status === 'rejected' || holding.status === 'rejected') {
      if (holding.status === 'fulfilled') holding.value.release();
      if (started.status === 'fulfilled') end(started.value.guardian);
      throw started.status === 'rejected' ? started.reason : named((holding as PromiseRejectedResult).reason, targets, places);
    }
    const { guardian, ready } = started.value;
    const held = holding.value;
    try {
      const [pid = '', , , spared = '1'] = await ready;
      const recoveryData = { cookie, directory: request.stateDirectory, pid, ...(expedite && noted) };
      const remarks = spared === '1' ? [] : [unspared];
      return this.#session({ ...guardian, targets, recoveryData, freezeWithinMs: request.freezeWithinMs, fresh: true, early, held, remarks });
    } catch (error) {
      held.release();
      end(guardian);
      throw error;
    } finally {
      stop();
    }
  }

  /** The fields of its `ready`. @throws os error of a mount point that can't be opened, or failed error that names the guardian */
  async #ready({ link, pid }: StartedGuardian, targets: readonly FrozenTarget[]): Promise<readonly string[]> {
    const name = `the freeze guardian ${this.#guardianPath} (process ${pid})`;
    const verbs = ['ready', 'refused'];
    let answer = await link.next(verbs, silenceLimitMs);
    if (answer === undefined && link.isOpen) {
      if (isStopped(pid)) throw AgentError.failed(`${name} did not get ready: somebody has stopped it`);
      answer = await link.next(verbs, openLimitMs - silenceLimitMs);
    }
    if (answer?.verb === 'ready') return answer.fields;
    throw refusal(name, targets, answer?.fields);
  }

  async recover(marker: FreezeMarkerData): Promise<FreezeSession | undefined> {
    const { cookie, directory } = marker.recoveryData;
    if (cookie === undefined || !cookiePattern.test(cookie) || directory?.startsWith('/') !== true) return undefined;
    const found = await connectToGuardian(directory);
    if (found === undefined) {
      restoreGracePeriods(this.#root, marker.recoveryData);
      return undefined;
    }
    const { link, pid } = found;
    const greeting = await link.next(['session'], openLimitMs);
    if (greeting?.fields[0] !== cookie) {
      link.close();
      restoreGracePeriods(this.#root, marker.recoveryData);
      return undefined;
    }
    if (greeting.fields[1] !== 'frozen') {
      // A freeze that its agent did not live to see complete is being undone; it ends by itself.
      if (greeting.fields[1] !== 'over') await link.next(['ended'], openLimitMs);
      link.close();
      restoreGracePeriods(this.#root, marker.recoveryData);
      return undefined;
    }
    return this.#session({
      pid,
      link,
      signal: signalling(link, pid),
      targets: marker.targets,
      recoveryData: marker.recoveryData,
      freezeWithinMs: 0,
      fresh: false,
      early: [],
      held: await this.#holdAfterwards(marker.targets),
      remarks: [],
    });
  }

  /** For a freeze that is on: as good as it can still be had. */
  async #holdAfterwards(targets: readonly FrozenTarget[]): Promise<HeldMounts | undefined> {
    try {
      return await HeldMounts.hold(targets, placesOf(targets, this.#mounts.table().fileSystems), false);
    } catch {
      return undefined;
    }
  }

  #session(options: Omit<GuardedSessionOptions, 'thawDirectly' | 'isLatest' | 'onThawed' | 'flushLimitMs'>): GuardedSession {
    const cookie = options.recoveryData['cookie'] ?? '';
    this.#latest = cookie;
    if (options.held !== undefined) this.#holds.add(options.held);
    return new GuardedSession({
      ...options,
      flushLimitMs: this.#flushLimitMs,
      thawDirectly: (lost) => this.thawEverything(lost),
      onThawed: (guardian, isThawed) => {
        this.#over = { guardian, isReusable: isThawed };
      },
      isLatest: () => this.#latest === cookie,
    });
  }

  async thawEverything(only?: readonly FrozenTarget[], except?: ReadonlySet<string>): Promise<readonly ThawOutcome[]> {
    if (only === undefined) return this.#sweep(stepsForOthers(this.#root, this.#mounts.table().fileSystems, except));
    // First what takes nothing that might not be had.
    const held = await this.#thawHeld(only);
    const rest = only.filter(({ id }) => !held.some((outcome) => outcome.id === id));
    if (rest.length === 0) {
      this.#dismiss();
      return held;
    }
    const others = await this.#sweep(stepsFor(this.#root, this.#mounts.table().fileSystems, rest));
    const outcomes = new Map([...held, ...others].map((outcome) => [outcome.id, outcome]));
    return only.flatMap(({ id }) => outcomes.get(id) ?? []);
  }

  async #thawHeld(targets: readonly FrozenTarget[]): Promise<readonly ThawOutcome[]> {
    const outcomes: ThawOutcome[] = [];
    for (const held of this.#holds) {
      const its = targets.filter((target) => held.holds(target));
      if (its.length > 0) {
        held.restore();
        // oxlint-disable-next-line no-await-in-loop -- one freeze after the other: there is hardly ever a second
        outcomes.push(...await held.thaw(its, thawLimitMs));
      }
      if (held.isEmpty) this.#holds.delete(held);
    }
    return outcomes;
  }

  async #sweep(steps: readonly Step[]): Promise<readonly ThawOutcome[]> {
    const asked = steps.filter(isAsked);
    const outcomes: ThawOutcome[] = [];
    if (asked.length > 0) {
      const { guardian, isReusable } = this.#lingering() ?? { guardian: await this.#start(), isReusable: false };
      const { link, signal } = guardian;
      const { promise, resolve } = Promise.withResolvers<void>();
      const stop = link.listen((verb, [error = '0', thawedAt = '0']) => {
        const step = asked[outcomes.length];
        if (verb !== 'swept' || step === undefined) return;
        const [code = 0n, at = 0n] = numbers([error, thawedAt]);
        outcomes.push(step.outcome(Number(code), at));
        if (outcomes.length === asked.length) resolve();
      });
      link.send(`${asked.map(({ line }) => `${line}\n`).join('')}${isReusable ? '' : 'dismiss\n'}`);
      const isThrough = await link.during(promise, thawLimitMs);
      stop();
      // One that hangs is not left to thaw a later freeze when it comes round.
      if (!isThrough) signal('SIGKILL');
      if (isThrough && isReusable) this.#spare.keep(guardian);
      else link.close();
    } else {
      this.#dismiss();
    }
    return steps.map((step) => {
      if (!isAsked(step)) return step;
      const index = asked.indexOf(step);
      const { target } = step;
      return outcomes[index] ?? { ...target, thawed: false, error: `failed to thaw ${target.mountPoint}: no answer` };
    });
  }

  /** The guardian of a freeze that is over waits for the next one, or has nothing left to do. */
  #dismiss(): void {
    const over = this.#lingering();
    if (over?.isReusable === true) this.#spare.keep(over.guardian);
    else over?.guardian.link.close();
  }

  /** The guardian of a freeze that is over, with nothing left to do: it saves the start of another. */
  #lingering(): { readonly guardian: StartedGuardian; readonly isReusable: boolean } | undefined {
    const over = this.#over;
    this.#over = undefined;
    return over?.guardian.link.isOpen === true ? over : undefined;
  }
}

const nowhere: Place = { mountId: 0, path: '' };

/** A line for each that is to be frozen, in the order of freezing, as its places are. */
function ordersFor(levels: FreezeRequest['levels'], places: readonly Place[]): readonly string[] {
  let index = 0;
  return levels.flatMap((level, number) => level.map(() => {
    const { mountId, path } = places[index] ?? nowhere;
    index += 1;
    return `target ${number} ${mountId} ${hex(path)}\n`;
  }));
}

/** Where each can be opened: through the mount that can be reached, where others are covered. @throws os error ESTALE */
function placesOf(targets: readonly FrozenTarget[], mounted: readonly MountedFileSystem[]): readonly Place[] {
  const visible = new Map(mounted.map((found) => [found.id, found.visible]));
  return targets.map(({ id, mountPoint }) => {
    const mount = visible.get(id);
    if (mount === undefined) throw posixError('ESTALE', { syscall: 'open', path: mountPoint });
    return { mountId: mount.mountId, path: mountPath(mount) };
  });
}

/** Said once. */
const unspared = 'the freeze guardian could not be kept from the out-of-memory killer (oom_score_adj): give the agent CAP_SYS_RESOURCE';

function end({ link, signal }: StartedGuardian): void {
  signal('SIGKILL');
  link.close();
}

/** The error of opening a mount point names it as everybody else does. */
function named(error: unknown, targets: readonly FrozenTarget[], places: readonly Place[]): unknown {
  const path = AgentError.is(error) ? error.os?.path : undefined;
  const target = targets[places.findIndex((place) => String(place.path) === path)];
  if (path === undefined || target === undefined || !AgentError.is(error) || error.os === undefined) return error;
  return posixErrorOf(error.os.errno, { syscall: 'open', path: target.mountPoint });
}

const milliseconds = (value: number): number => Math.max(0, Math.ceil(value));

function refusal(name: string, targets: readonly FrozenTarget[], fields: readonly string[] | undefined): AgentError {
  if (fields === undefined) return AgentError.failed(`${name} did not get ready`);
  const [index = -1n, errno = 0n] = numbers(fields);
  const target = targets[Number(index)];
  if (target === undefined) return AgentError.failed(`${name} did not get ready: ${posixErrorOf(Number(errno)).message}`);
  return posixErrorOf(Number(errno), { syscall: 'open', path: target.mountPoint });
}

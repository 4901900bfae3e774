// SPDX-License-Identifier: Apache-2.0
import { osCode, messageOf } from '../../core/errors/agent-error.ts';
import { posixError, posixText } from '../../core/errors/posix-errno.ts';
import type { FreezeEnd, FreezeOutcome, FreezeRequest, FreezeSession, FreezeTarget, ThawOutcome, Timer } from '../../core/ports/index.ts';
import type { FakeClock } from './clock.ts';
import type { Faults } from './faults.ts';
import type { Superblock } from './superblock.ts';

/** A target whose mount point has been opened. */
export interface HeldTarget extends FreezeTarget {
  readonly superblock: Superblock;
}

export interface GuardianOptions {
  readonly key: string;
  readonly levels: readonly (readonly HeldTarget[])[];
  readonly request: FreezeRequest;
  readonly clock: FakeClock;
  readonly faults: Faults;
  readonly mayFreeze: boolean;
  readonly gone: (guardian: Guardian) => void;
}

type Progress = 'prepared' | 'freezing' | 'done' | 'ended';

/** How long one level may take before the next is thawed all the same: one that hangs must not hold up the others. */
const thawLevelMs = 2000;

export const timedOut = (mountPoint: string): string => `failed to thaw ${mountPoint}: ${posixText('ETIMEDOUT')}`;

/** Waits for something for a while, on the clock of the machine. Answers whether it came. */
export async function within(clock: FakeClock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const limit = Promise.withResolvers<false>();
  const timer = clock.after(ms, () => limit.resolve(false));
  const came = await Promise.race([promise.then(() => true), limit.promise]);
  timer.cancel();
  return came;
}

/**
 * The holder of one freeze session: what a process beside the agent is on a real machine. It outlives the agent,
 * ends the session at its deadline, and thaws what a freeze that was given up still froze later.
 */
export class Guardian implements FreezeSession {
  readonly recoveryData: Readonly<Record<string, string>>;
  readonly ended: Promise<FreezeEnd>;
  readonly #options: GuardianOptions;
  readonly #endWith: (end: FreezeEnd) => void;
  readonly #frozen: HeldTarget[] = [];
  #progress: Progress = 'prepared';
  #deadline: Timer | undefined;
  #thawing: Promise<readonly ThawOutcome[]> | undefined;

  constructor(options: GuardianOptions) {
    this.#options = options;
    this.recoveryData = { guardian: options.key };
    const { promise, resolve } = Promise.withResolvers<FreezeEnd>();
    this.ended = promise;
    this.#endWith = resolve;
  }

  /** Mount points that it holds frozen now, in the order of freezing. */
  get holds(): readonly string[] {
    return this.#frozen.map(({ mountPoint }) => mountPoint);
  }

  async flush(): Promise<void> {
    const { levels, faults } = this.#options;
    const one = async ({ superblock, mountPoint }: HeldTarget): Promise<void> => {
      await faults.pass('kernel', 'syncfs', mountPoint);
      // Writing to a frozen file system would wait, and it has nothing to write back.
      if (superblock.state === 'thawed') await superblock.writeBack();
    };
    await Promise.allSettled(levels.flat().map(one));
  }

  async freeze(): Promise<readonly FreezeOutcome[]> {
    if (this.#progress !== 'prepared') return [];
    this.#progress = 'freezing';
    const { clock, request, levels } = this.#options;
    const outcomes: FreezeOutcome[] = [];
    const late = Promise.withResolvers<'late'>();
    const limit = request.freezeWithinMs > 0 ? clock.after(request.freezeWithinMs, () => late.resolve('late')) : undefined;
    for (const level of levels) {
      // oxlint-disable-next-line no-await-in-loop -- a level is finished before the next begins
      const tried = await Promise.all(level.map((target) => this.#freezeOne(target, late.promise)));
      outcomes.push(...tried);
      if (tried.some(({ result }) => result === 'failed')) break;
    }
    limit?.cancel();
    if (this.#progress === 'freezing') this.#progress = 'done';
    return outcomes;
  }

  async #freezeOne(target: HeldTarget, late: Promise<'late'>): Promise<FreezeOutcome> {
    const { clock, request, mayFreeze } = this.#options;
    const { id, mountPoint, superblock } = target;
    const start = clock.monotonic();
    const frozen = (async (): Promise<'frozen'> => {
      if (!mayFreeze) throw posixError('EPERM', { syscall: 'ioctl', path: mountPoint });
      await superblock.freeze(mountPoint);
      return 'frozen';
    })();
    try {
      if ((await Promise.race([frozen, late])) === 'late') {
        void this.#undoWhenDone(frozen, target);
        return { id, mountPoint, result: 'failed', error: `failed to freeze ${mountPoint}: not done within ${request.freezeWithinMs} ms` };
      }
    } catch (error) {
      const code = osCode(error);
      if (code === 'EOPNOTSUPP') return { id, mountPoint, result: 'unsupported' };
      if (code === 'EBUSY') return { id, mountPoint, result: 'busy' };
      return { id, mountPoint, result: 'failed', error: `failed to freeze ${mountPoint}: ${messageOf(error)}` };
    }
    this.#frozen.push(target);
    // A thaw or the deadline came while this one was being frozen: nobody would ever thaw it.
    if (this.#progress === 'ended') await this.#thawOne(target);
    else this.#startDeadline();
    return { id, mountPoint, result: 'frozen', frozenAt: clock.now(), flushNs: 0n, freezeNs: clock.monotonic() - start };
  }

  async #undoWhenDone(frozen: Promise<'frozen'>, target: HeldTarget): Promise<void> {
    try {
      await frozen;
    } catch {
      return;
    }
    await this.#thawOne(target);
  }

  #startDeadline(): void {
    const { clock, request } = this.#options;
    if (request.deadlineMs === 0 || this.#deadline !== undefined) return;
    this.#deadline = clock.after(request.deadlineMs, () => void this.end('deadline', `the deadline of ${request.deadlineMs} ms has passed`));
  }

  thaw(): Promise<readonly ThawOutcome[]> {
    this.#thawing ??= this.#thawAll();
    return this.#thawing;
  }

  async #thawAll(): Promise<readonly ThawOutcome[]> {
    this.#progress = 'ended';
    this.#deadline?.cancel();
    const held = this.#frozen.toReversed();
    const outcomes = new Map<string, ThawOutcome>();
    const under: Promise<void>[] = [];
    const begin = async (target: HeldTarget): Promise<void> => void outcomes.set(target.id, await this.#thawOne(target));
    for (const level of this.#options.levels.toReversed()) {
      const now = held.filter(({ id }) => level.some((target) => target.id === id)).map(begin);
      under.push(...now);
      // oxlint-disable-next-line no-await-in-loop -- what lies on another file system thaws after it
      if (now.length > 0) await within(this.#options.clock, thawLevelMs, Promise.all(now));
    }
    await within(this.#options.clock, thawLevelMs, Promise.all(under));
    this.#frozen.length = 0;
    this.#options.gone(this);
    return held.map(({ id, mountPoint }) => outcomes.get(id) ?? { id, mountPoint, thawed: false, error: timedOut(mountPoint) });
  }

  async #thawOne({ id, mountPoint, superblock }: HeldTarget): Promise<ThawOutcome> {
    try {
      await superblock.thaw(mountPoint);
      return { id, mountPoint, thawed: true, thawedAt: this.#options.clock.now() };
    } catch (error) {
      // EINVAL: somebody else has thawed it.
      if (osCode(error) === 'EINVAL') return { id, mountPoint, thawed: false };
      return { id, mountPoint, thawed: false, error: `failed to thaw ${mountPoint}: ${messageOf(error)}` };
    }
  }

  /**
   * Ends the session without the agent: what a deadline, a system's limit or the loss of the holder does. A holder that
   * is lost thaws nothing.
   */
  async end(reason: FreezeEnd['reason'], detail: string): Promise<void> {
    if (this.#thawing !== undefined) return;
    const at = this.#options.clock.now();
    if (reason !== 'holder-lost') {
      this.#endWith({ reason, detail, at, thawed: await this.thaw() });
      return;
    }
    // The agent's own descriptors outlive the holder: its `thaw` still reaches what is frozen.
    this.#deadline?.cancel();
    this.#options.gone(this);
    this.#endWith({ reason, detail, at, thawed: [] });
  }
}

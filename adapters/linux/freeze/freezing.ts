import { randomBytes } from 'node:crypto';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../../core/errors/posix-errno.ts';
import type {
  FreezeCandidate, FreezeMarkerData, FreezeRequest, FreezeSession, Freezing, FrozenTarget, ThawOutcome,
} from '../../../core/ports/freezing.ts';
import { GuardedSession, numbers, thawOutcome, type GuardedSessionOptions } from './freeze-session.ts';
import { mountedFileSystems, surveyFileSystems, type MountedFileSystem } from './freeze-survey.ts';
import { connectToGuardian, defaultGuardianPath, heldGuardian, startGuardian, signalling, type StartedGuardian } from './guardian.ts';
import { mountPath } from '../block/mounts.ts';

export interface LinuxFreezingOptions {
  readonly guardianPath?: string;
  /** Put before /proc, /sys and /dev: '' for the running system. */
  readonly root?: string;
  /** Flushing takes at most this before the freeze gives up, in milliseconds; 0: for ever. */
  readonly flushLimitMs?: number;
}

/** What `begin` makes of 16 bytes; a marker is a file, and files are damaged. */
const cookiePattern = /^[0-9a-f]{32}$/;

/** For opening mount points, which a dead disk can hold up for ever. */
const openLimitMs = 30_000;

/** For thawing without a session, which takes milliseconds but for a call that hangs. */
const thawLimitMs = 10_000;

/** Freezes through FIFREEZE and FITHAW, made by a guardian process of each freeze's own. */
export class LinuxFreezing implements Freezing {
  readonly #guardianPath: string;
  readonly #guardian: string;
  readonly #root: string;
  readonly #flushLimitMs: number;
  #latest = '';
  #over: StartedGuardian | undefined;

  constructor(options: LinuxFreezingOptions = {}) {
    this.#guardianPath = options.guardianPath ?? defaultGuardianPath();
    this.#guardian = heldGuardian(this.#guardianPath);
    this.#root = options.root ?? '';
    this.#flushLimitMs = options.flushLimitMs ?? 60_000;
  }

  // oxlint-disable-next-line require-await -- reads what the kernel makes up; a failure is a rejection
  async survey(): Promise<readonly FreezeCandidate[]> {
    return surveyFileSystems(this.#root).map(({ candidate }) => candidate);
  }

  async begin(request: FreezeRequest): Promise<FreezeSession> {
    const targets = request.levels.flat();
    const cookie = randomBytes(16).toString('hex');
    const mounted = mountedFileSystems(this.#root);
    const guardian = await startGuardian(this.#guardian, this.#guardianPath);
    const { link, signal } = guardian;
    const lines = request.levels.flatMap((level, index) => places(level, mounted).map((place) => `target ${index} ${place}\n`));
    link.send(lines.join(''));
    link.send(`prepare ${milliseconds(request.deadlineMs)} ${milliseconds(request.freezeWithinMs)} `
      + `${milliseconds(this.#flushLimitMs)} ${cookie} ${hex(request.stateDirectory)}\n`);
    const answer = await link.next(['ready', 'refused'], openLimitMs);
    if (answer?.verb === 'ready') {
      const recoveryData = { cookie, directory: request.stateDirectory, pid: answer.fields[0] ?? '' };
      return this.#session({ ...guardian, targets, recoveryData, freezeWithinMs: request.freezeWithinMs, fresh: true });
    }
    signal('SIGKILL');
    link.close();
    throw refusal(targets, answer?.fields);
  }

  async recover(marker: FreezeMarkerData): Promise<FreezeSession | undefined> {
    const { cookie, directory } = marker.recoveryData;
    if (cookie === undefined || !cookiePattern.test(cookie) || directory?.startsWith('/') !== true) return undefined;
    const found = await connectToGuardian(directory);
    if (found === undefined) return undefined;
    const { link, pid } = found;
    const greeting = await link.next(['session'], openLimitMs);
    if (greeting?.fields[0] !== cookie) {
      link.close();
      return undefined;
    }
    if (greeting.fields[1] !== 'frozen') {
      // A freeze that its agent did not live to see complete is being undone; it ends by itself.
      if (greeting.fields[1] !== 'over') await link.next(['ended'], openLimitMs);
      link.close();
      return undefined;
    }
    return this.#session({
      link,
      signal: signalling(link, pid),
      targets: marker.targets,
      recoveryData: marker.recoveryData,
      freezeWithinMs: 0,
      fresh: false,
    });
  }

  #session(options: Omit<GuardedSessionOptions, 'thawDirectly' | 'isLatest' | 'onThawed' | 'flushLimitMs'>): GuardedSession {
    const cookie = options.recoveryData.cookie ?? '';
    this.#latest = cookie;
    return new GuardedSession({
      ...options,
      flushLimitMs: this.#flushLimitMs,
      thawDirectly: (lost) => this.thawEverything(lost),
      onThawed: (guardian) => {
        this.#over = guardian;
      },
      isLatest: () => this.#latest === cookie,
    });
  }

  async thawEverything(only?: readonly FrozenTarget[]): Promise<readonly ThawOutcome[]> {
    const mounted = mountedFileSystems(this.#root);
    const targets = only ?? mounted
      .filter(({ leftOut }) => leftOut === undefined)
      .map(({ id, mounts: [oldest] }) => ({ id, mountPoint: oldest.mountPoint }));
    if (targets.length === 0) return [];
    const { link, signal } = this.#lingering() ?? (await startGuardian(this.#guardian, this.#guardianPath));
    const outcomes: ThawOutcome[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    link.listen((verb, [error = '0', thawedAt = '0']) => {
      const target = targets[outcomes.length];
      if (verb !== 'swept' || target === undefined) return;
      const [code = 0n, at = 0n] = numbers([error, thawedAt]);
      outcomes.push(thawOutcome(target, Number(code), at));
      if (outcomes.length === targets.length) resolve();
    });
    link.send(`${places(targets, mounted).map((place) => `sweep ${place}\n`).join('')}dismiss\n`);
    // One that hangs is not left to thaw a later freeze when it comes round.
    if (!(await link.during(promise, thawLimitMs))) signal('SIGKILL');
    link.close();
    return targets.map((target, index) => outcomes[index] ?? {
      ...target,
      thawed: false,
      error: `failed to thaw ${target.mountPoint}: no answer`,
    });
  }

  /** The guardian of a freeze that is over, with nothing left to do: it saves the start of another. */
  #lingering(): StartedGuardian | undefined {
    const guardian = this.#over;
    this.#over = undefined;
    return guardian?.link.isOpen === true ? guardian : undefined;
  }
}

/** `MOUNT-ID HEXPATH` of each: through the mount that can be reached, where the named one is covered. */
function places(targets: readonly FrozenTarget[], mounted: readonly MountedFileSystem[]): readonly string[] {
  const visible = new Map(mounted.map((found) => [found.id, found.visible]));
  return targets.map(({ id, mountPoint }) => {
    const mount = visible.get(id);
    return `${mount?.mountId ?? 0} ${hex(mount === undefined ? mountPoint : mountPath(mount))}`;
  });
}

const hex = (path: string | Buffer): string => Buffer.from(path as string).toString('hex');

const milliseconds = (value: number): number => Math.max(0, Math.ceil(value));

function refusal(targets: readonly FrozenTarget[], fields: readonly string[] | undefined): AgentError {
  if (fields === undefined) return AgentError.failed('the freeze guardian did not get ready');
  const [index = -1n, errno = 0n] = numbers(fields);
  const target = targets[Number(index)];
  if (target === undefined) return AgentError.failed(`the freeze guardian did not get ready: ${posixErrorOf(Number(errno)).message}`);
  return posixErrorOf(Number(errno), { syscall: 'open', path: target.mountPoint });
}


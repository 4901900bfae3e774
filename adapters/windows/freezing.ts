// SPDX-License-Identifier: Apache-2.0
import type { AgentError } from '../../core/errors/agent-error.ts';
import type { FreezeCandidate, FreezeRequest, FreezeSession, FreezeTarget, Freezing, ThawOutcome } from '../../core/ports/freezing.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { fileLane } from './lane.ts';
import { textOf } from './layout.ts';
import { DRIVE_FIXED, type Volume, volumes } from './volumes.ts';
import { defaultLimits, type Limits } from './vss/limits.ts';
import { RetryableWriter, SnapshotSet, type WriterRule } from './vss/snapshot-set.ts';
import { systemLimitMs, VssSession } from './vss/session.ts';
import { windowsErrorOf } from './system-error.ts';
import { windowsClock } from './clock.ts';
import { within } from '../shared/within.ts';

const FILE_READ_ONLY_VOLUME = 0x0008_0000;
const ERROR_PATH_NOT_FOUND = 3;
const patienceMs = 5_000;

/**
 * Freezes through VSS, which freezes applications too, holds all volumes at once and lets go after ten seconds. Its hold
 * ends with the process that asked for it: there is nothing to recover and nothing of others to thaw.
 */
export class WindowsFreezing implements Freezing {
  readonly #limits: Limits;
  readonly #writers: WriterRule;
  /** What a thaw is still to be told of a freeze that ended badly. */
  #owed: AgentError | undefined;

  constructor({ limits = defaultLimits, writers = 'require' }: { readonly limits?: Limits; readonly writers?: WriterRule } = {}) {
    this.#limits = limits;
    this.#writers = writers;
  }

  async survey(): Promise<readonly FreezeCandidate[]> {
    return Promise.all((await volumes()).map(candidate));
  }

  async begin(request: FreezeRequest): Promise<FreezeSession> {
    this.#owed = undefined;
    const targets = request.levels.flat();
    const known = new Set((await volumes()).map(({ name }) => name));
    const unknown = targets.find(({ id }) => !known.has(id));
    if (unknown !== undefined) throw windowsErrorOf(ERROR_PATH_NOT_FOUND, { syscall: 'FindFirstVolume', path: unknown.mountPoint });
    return this.#session(request, targets).catch((error: unknown) => {
      if (!(error instanceof RetryableWriter)) throw error;
      // Once more, for a writer that says that it may not fail then.
      return this.#session(request, targets).catch((again: unknown) => {
        throw again instanceof RetryableWriter ? again.failure : again;
      });
    });
  }

  async #session(request: FreezeRequest, targets: readonly FreezeTarget[]): Promise<FreezeSession> {
    // The provider outlasts the agent's own limit, which says more.
    const set = await SnapshotSet.create({ holdLimitMs: systemLimitMs + 5_000, limits: this.#limits, writers: this.#writers });
    try {
      const unsupported = await set.prepare(targets.map(({ id }) => id));
      return new VssSession(set, targets, unsupported, request, {
        owe: (error) => {
          this.#owed = error;
        },
        now: () => windowsClock.now(),
      });
    } catch (error) {
      await set.giveUp();
      throw error;
    }
  }

  recover(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** @throws what the last freeze owes: its hold ended before this thaw, or a writer failed in it. Told once */
  thawEverything(): Promise<readonly ThawOutcome[]> {
    const owed = this.#owed;
    this.#owed = undefined;
    return owed === undefined ? Promise.resolve([]) : Promise.reject(owed);
  }
}

async function candidate(volume: Volume): Promise<FreezeCandidate> {
  const { name, paths, driveType } = volume;
  const information = driveType === DRIVE_FIXED ? await within(patienceMs, informationOf(name)) : undefined;
  return {
    id: name,
    // A list may name a volume by its drive or by its own name.
    mountPoints: [...paths, name],
    type: information?.type ?? 'unknown',
    source: name,
    readOnly: information?.readOnly ?? false,
    backing: [],
    ...leftOut(driveType, information),
  };
}

interface Information {
  readonly type: string;
  readonly readOnly: boolean;
}

async function informationOf(volume: string): Promise<Information | undefined> {
  const type = Buffer.alloc(522);
  const flags: [number] = [0];
  const { result } = await fileLane.run(() => kernel32.GetVolumeInformationW.async(volume, null, 0, [0], [0], flags, type, type.length / 2));
  return result === 0 ? undefined : { type: textOf(type), readOnly: (flags[0] & FILE_READ_ONLY_VOLUME) !== 0 };
}

function leftOut(driveType: number, information: Information | undefined): Pick<FreezeCandidate, 'leftOut'> {
  if (driveType !== DRIVE_FIXED) return { leftOut: { reason: 'not-freezable', detail: 'is no fixed disk, and VSS takes no other' } };
  if (information === undefined) return { leftOut: { reason: 'not-freezable', detail: 'has no file system that answers' } };
  return information.readOnly ? { leftOut: { reason: 'read-only', detail: 'is read-only: nothing on it can change' } } : {};
}

// SPDX-License-Identifier: Apache-2.0
import { osCode, messageOf } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { FreezeCandidate, FreezeEnd, FreezeMarkerData, FreezeRequest, FreezeTarget, Freezing, FrozenTarget, LeftOutReason, ThawOutcome } from '../../core/ports/index.ts';
import type { FakeClock } from './clock.ts';
import type { Faults } from './faults.ts';
import type { FakeFileSystems } from './file-systems.ts';
import { Guardian, timedOut, within, type HeldTarget } from './freeze-session.ts';
import { root, type Credentials } from './inodes.ts';
import type { Superblock } from './superblock.ts';

export interface FreezingOptions {
  readonly fileSystems: FakeFileSystems;
  readonly clock: FakeClock;
  readonly faults: Faults;
  readonly who: Credentials;
}

/** How long thawing everything waits for file systems that do not answer. */
const thawLimitMs = 30_000;

const details: Readonly<Partial<Record<LeftOutReason, string>>> = {
  pseudo: 'has no disk behind it',
  network: 'lies on another machine',
  fuse: 'is served by a program that a freeze could stop',
  overlay: 'has no blocks of its own: its layers are frozen instead',
  covered: 'is covered by another mount and cannot be reached',
};

/** Freezing in the fake, and the holders of its sessions, which outlive the agent. */
export class FakeFreezing {
  readonly #options: FreezingOptions;
  readonly #guardians = new Map<string, Guardian>();
  #nextKey = 1;

  constructor(options: FreezingOptions) {
    this.#options = options;
  }

  /** What the holders of sessions hold frozen, one list each. */
  get guardians(): readonly { readonly holds: readonly string[] }[] {
    return [...this.#guardians.values()];
  }

  /** Ends every session that is open, as its deadline, the system or the loss of its holder would. */
  async endSessions(reason: FreezeEnd['reason'], detail: string): Promise<void> {
    await Promise.all([...this.#guardians.values()].map((guardian) => guardian.end(reason, detail)));
  }

  port(): Freezing {
    return {
      survey: async () => this.#survey(),
      begin: (request) => this.#begin(request),
      recover: async (marker) => this.#recover(marker),
      thawEverything: (only, except) => this.#thawEverything(only, except),
    };
  }

  #survey(): readonly FreezeCandidate[] {
    return this.#options.fileSystems.superblocks().map((superblock) => this.#candidate(superblock));
  }

  #candidate(superblock: Superblock): FreezeCandidate {
    const { fileSystems } = this.#options;
    const reason = superblock.leftOut ?? (fileSystems.reachedAt(superblock) === undefined ? 'covered' : undefined);
    const detail = `${fileSystems.nameOf(superblock)} (${superblock.type}) ${details[reason ?? 'pseudo'] ?? 'cannot be frozen'}`;
    return {
      id: superblock.id,
      mountPoints: fileSystems.mountsOf(superblock).map(({ mountPoint }) => mountPoint),
      type: superblock.type,
      source: superblock.source,
      readOnly: superblock.readOnly,
      backing: superblock.backing.map(({ id }) => id),
      ...(reason === undefined ? {} : { leftOut: { reason, detail } }),
      dirtyBytes: BigInt(superblock.dirtyBytes),
    };
  }

  async #begin(request: FreezeRequest): Promise<Guardian> {
    const { clock, faults, who } = this.#options;
    const levels: HeldTarget[][] = [];
    for (const level of request.levels) {
      // oxlint-disable-next-line no-await-in-loop -- in the order in which they will be frozen
      levels.push(await Promise.all(level.map((target) => this.#open(target))));
    }
    const key = `${this.#nextKey}`;
    this.#nextKey += 1;
    const guardian = new Guardian({
      key, levels, request, clock, faults,
      mayFreeze: who.uid === 0,
      gone: () => void this.#guardians.delete(key),
    });
    this.#guardians.set(key, guardian);
    return guardian;
  }

  async #open(target: FreezeTarget): Promise<HeldTarget> {
    const { fileSystems, who } = this.#options;
    const superblock = await fileSystems.openMountPoint(target.mountPoint, who);
    if (superblock.id !== target.id) throw posixError('ESTALE', { syscall: 'open', path: target.mountPoint });
    return { id: target.id, mountPoint: target.mountPoint, superblock };
  }

  #recover(marker: FreezeMarkerData): Guardian | undefined {
    const guardian = this.#guardians.get(marker.recoveryData['guardian'] ?? '');
    return guardian === undefined || guardian.holds.length === 0 ? undefined : guardian;
  }

  async #thawEverything(only?: readonly FrozenTarget[], except?: ReadonlySet<string>): Promise<readonly ThawOutcome[]> {
    const { fileSystems } = this.#options;
    const all = fileSystems.listed().map((superblock) => ({ id: superblock.id, mountPoint: fileSystems.nameOf(superblock) }));
    const wanted = all.filter(({ id }) => (only === undefined ? except?.has(id) !== true : only.some((target) => target.id === id)));
    const outcomes: ThawOutcome[] = [];
    const thawAll = async (): Promise<void> => {
      // oxlint-disable-next-line no-await-in-loop -- in mount order: what lies on another file system comes after it
      for (const target of wanted) outcomes.push(await this.#thawCompletely(target));
    };
    await within(this.#options.clock, thawLimitMs, thawAll());
    const silent = wanted.slice(outcomes.length).map(({ id, mountPoint }) => ({ id, mountPoint, thawed: false, error: timedOut(mountPoint) }));
    const unknown = (only ?? []).filter(({ id }) => !all.some((listed) => listed.id === id));
    return [...outcomes, ...silent, ...unknown.map(({ id, mountPoint }) => ({ id, mountPoint, thawed: false }))];
  }

  async #thawCompletely({ id, mountPoint }: FrozenTarget): Promise<ThawOutcome> {
    const { fileSystems, clock, who } = this.#options;
    let thawed = false;
    try {
      const superblock = await fileSystems.openMountPoint(mountPoint, who);
      // oxlint-disable-next-line no-await-in-loop -- until the kernel says that nothing is frozen any more
      for (;;) {
        if (who.uid !== root.uid) break;
        await superblock.thaw(mountPoint);
        thawed = true;
      }
    } catch (error) {
      if (!thawed && osCode(error) !== 'EINVAL') {
        return { id, mountPoint, thawed, error: `failed to thaw ${mountPoint}: ${messageOf(error)}` };
      }
    }
    return { id, mountPoint, thawed, ...(thawed ? { thawedAt: clock.now() } : {}) };
  }
}

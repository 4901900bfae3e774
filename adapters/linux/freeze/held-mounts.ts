// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../../core/errors/agent-error.ts';
import type { FrozenTarget, ThawOutcome } from '../../../core/ports/freezing.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';
import { thawOutcome } from './thaw-outcome.ts';

/** native/linux/held-mounts.cc. */
interface HeldMountsAddon extends NativeAddon {
  holdMounts(mountIds: readonly number[], paths: readonly (string | Buffer)[], expedited: boolean): Promise<object>;
  /** Index, errno and time in nanoseconds (0n: not thawed) of each, flat. */
  thawHeld(held: object, indices: readonly number[]): Promise<readonly (number | bigint)[]>;
  restoreHeld(held: object): void;
  releaseHeld(held: object): void;
}

export interface Place {
  readonly mountId: number;
  readonly path: string | Buffer;
}

/**
 * Descriptors of the file systems of one freeze, and a thread to thaw them: the agent's way when its guardian is lost,
 * which takes no descriptor, process or thread that might not be had then.
 */
export class HeldMounts {
  readonly #addon: HeldMountsAddon;
  readonly #handle: object;
  /** By id, the place in what is held; those that are thawed for certain are not in it. */
  readonly #indices: Map<string, number>;

  private constructor(addon: HeldMountsAddon, handle: object, targets: readonly FrozenTarget[]) {
    this.#addon = addon;
    this.#handle = handle;
    this.#indices = new Map(targets.map(({ id }, index) => [id, index]));
  }

  /**
   * Opens all of them. `expedited`: also what puts back the kernel's switch that the guardian is about to change.
   *
   * @throws os error with the mount point that can't be opened as `path`, or without one for want of a thread
   */
  static async hold(targets: readonly FrozenTarget[], places: readonly Place[], expedited: boolean): Promise<HeldMounts> {
    const addon = nativeAddon() as HeldMountsAddon;
    return new HeldMounts(addon, await addon.holdMounts(places.map(({ mountId }) => mountId), places.map(({ path }) => path), expedited), targets);
  }

  get isEmpty(): boolean {
    return this.#indices.size === 0;
  }

  holds({ id }: FrozenTarget): boolean {
    return this.#indices.has(id);
  }

  /** Thaws those of the list that it holds, in the order of the list; one that hangs is an error after a while. Never rejects. */
  async thaw(targets: readonly FrozenTarget[], limitMs: number): Promise<readonly ThawOutcome[]> {
    const wanted = targets.filter((target) => this.holds(target));
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), limitMs);
    let answer: readonly (number | bigint)[] | undefined;
    let reason = 'no answer';
    try {
      answer = await Promise.race([this.#addon.thawHeld(this.#handle, wanted.map(({ id }) => this.#indices.get(id) ?? -1)), late.promise]);
    } catch (error) {
      reason = withContext('no thread', error).message;
    }
    clearTimeout(timer);
    const outcomes = wanted.map((target, index): ThawOutcome =>
      (answer === undefined
        ? { ...target, thawed: false, error: `failed to thaw ${target.mountPoint}: ${reason}` }
        : thawOutcome(target, Number(answer[index * 3 + 1]), BigInt(answer[index * 3 + 2] ?? 0n))));
    this.settle(outcomes.filter(({ error }) => error === undefined).map(({ id }) => id));
    return outcomes;
  }

  /** These are thawed: their descriptors would only keep them from being unmounted, and go with the last of all. */
  settle(ids: Iterable<string>): void {
    for (const id of ids) this.#indices.delete(id);
    if (this.isEmpty) this.#addon.releaseHeld(this.#handle);
  }

  /** Puts back what a guardian that is lost has changed of the whole machine. */
  restore(): void {
    this.#addon.restoreHeld(this.#handle);
  }

  release(): void {
    this.settle([...this.#indices.keys()]);
  }
}

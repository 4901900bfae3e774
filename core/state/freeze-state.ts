/**
 * Where a freeze is. `freezing` lasts from the first hook to the last FIFREEZE, `thawing` from the first FITHAW to the
 * last hook: commands that could touch a disk are refused in all but `thawed`.
 */
export type FreezePhase = 'thawed' | 'freezing' | 'frozen' | 'thawing';

const successors: Readonly<Record<FreezePhase, readonly FreezePhase[]>> = {
  // Straight to frozen: an agent that starts and finds the freeze of an earlier one.
  thawed: ['freezing', 'frozen', 'thawing'],
  freezing: ['frozen', 'thawed'],
  frozen: ['thawing'],
  thawing: ['thawed'],
};

/** The phase, and the one rule about it: a step that leads nowhere sensible is a mistake of the caller's. */
export class FreezeState {
  #phase: FreezePhase = 'thawed';

  get phase(): FreezePhase {
    return this.#phase;
  }

  /** @throws Error for a step that the rule does not have */
  enter(phase: FreezePhase): void {
    if (!successors[this.#phase].includes(phase)) throw new Error(`a freeze cannot go from ${this.#phase} to ${phase}`);
    this.#phase = phase;
  }
}

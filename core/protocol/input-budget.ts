// SPDX-License-Identifier: Apache-2.0
import { protocolLimits } from './limits.ts';

/**
 * What the unfinished requests of all hosts of a channel together may weigh. Each of them has its own limits; without this one, eight
 * hosts that stop within a string of 64 MiB would end a small guest's agent for want of memory.
 */
export class InputBudget {
  #held = 0;

  /** A share of the budget grows or shrinks; false: it would grow beyond what is left, and stays as it was. */
  change(before: number, after: number): boolean {
    const held = this.#held - before + after;
    if (after > before && held > protocolLimits.inputWeight) return false;
    this.#held = held;
    return true;
  }
}

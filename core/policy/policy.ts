// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from '../schema/command.ts';

/** Names from the configuration and the command line. An empty list is no list. */
export interface PolicyLists {
  readonly allow: readonly string[];
  readonly block: readonly string[];
}

/** `allowed`, or the rule that forbids it: for the log; the host is told what qemu-ga 11.1 says. */
export type Verdict = { readonly allowed: true } | { readonly allowed: false; readonly rule: string };

const ALLOWED: Verdict = { allowed: true };
const NOT_WHILE_FROZEN: Verdict = { allowed: false, rule: 'file systems are frozen: only status, thaw, ping, info and sync are answered' };

/**
 * Who may call what. An allow list admits only its own names, a block list wins over it, and while file systems are
 * frozen both are overridden: whatever could touch a disk is refused, and the way out can't be blocked.
 */
export class Policy {
  readonly #allow: ReadonlySet<string> | undefined;
  readonly #block: ReadonlySet<string>;

  constructor(lists: PolicyLists) {
    this.#allow = lists.allow.length === 0 ? undefined : new Set(lists.allow);
    this.#block = new Set(lists.block);
  }

  judge(schema: CommandSchema, frozen: boolean): Verdict {
    if (frozen) return schema.whileFrozen ? ALLOWED : NOT_WHILE_FROZEN;
    if (this.#block.has(schema.name)) return { allowed: false, rule: `${schema.name} is on the block list (block-rpcs)` };
    if (this.#allow !== undefined && !this.#allow.has(schema.name)) {
      return { allowed: false, rule: `${schema.name} is not on the allow list (allow-rpcs)` };
    }
    return ALLOWED;
  }

  /** Names on the lists that are no commands at all: a typing mistake in a block list is a hole. */
  unknownNames(known: ReadonlySet<string>): readonly string[] {
    return [...(this.#allow ?? []), ...this.#block].filter((name) => !known.has(name));
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../ports/capabilities.ts';
import type { Arguments, Members, Result, SchemaType } from './types.ts';

/**
 * What the rules of the policy name together. `observe` only asks; `freeze` freezes, thaws and trims; `hardware` sets clock, vCPUs
 * and memory.
 */
export const commandGroups = ['observe', 'freeze', 'files', 'exec', 'accounts', 'power', 'hardware'] as const;
export type CommandGroup = (typeof commandGroups)[number];

/** A command, described. `core/commands` has a handler under the same name. */
export interface CommandSchema<M extends Members = Members, R extends SchemaType = SchemaType, N extends string = string> {
  readonly name: N;
  /** Release of qemu-ga that had it first, or of Concierge for its own (`concierge 0.1`). */
  readonly since: string;
  /** The one group of the policy that it belongs to. */
  readonly group: CommandGroup;
  /** It goes on with what another command has opened or started, which is where the policy judged it. */
  readonly follows?: 'file' | 'program';
  /** Outside the group `observe`: it changes nothing in the guest, and is not recorded by the audit. */
  readonly onlyAsks?: true;
  /** It is about all of these, and has no argument that names some; of users it is about whoever the agent is. */
  readonly concernsAll?: 'mountPoints' | 'user';
  /** What it does, for `docs/commands.md`. */
  readonly summary: string;
  readonly arguments: M;
  readonly result: R;
  readonly resultDoc: string;
  /** Answered while file systems are frozen. */
  readonly whileFrozen: boolean;
  /** False: nothing is sent on success; the host sees the effect. */
  readonly successResponse: boolean;
  /** The answer on success is preceded by one byte 0xFF (guest-sync-delimited). */
  readonly sentinel?: true;
  /** Absent: the core needs no port for it. */
  readonly needs?: Capability;
  /** Errors of its own, beyond those of validation: text with holes in capitals, and when. */
  readonly errors: readonly (readonly [text: string, when: string])[];
}

type Described<M extends Members, R extends SchemaType, N extends string> = Omit<CommandSchema<M, R, N>, 'arguments' | 'whileFrozen' | 'successResponse' | 'errors' | 'resultDoc'> & {
  readonly arguments?: M;
  readonly resultDoc?: string;
  readonly whileFrozen?: boolean;
  readonly successResponse?: boolean;
  readonly errors?: readonly (readonly [string, string])[];
};

type NoArguments = Readonly<Record<string, never>>;

/** Fills in what most commands have in common: no arguments, an answer, refused while frozen. */
export const command = <
  const M extends Members = NoArguments,
  const R extends SchemaType = SchemaType,
  const N extends string = string,
>(
  schema: Described<M, R, N>,
): CommandSchema<M, R, N> => ({
  resultDoc: '',
  whileFrozen: false,
  successResponse: true,
  errors: [],
  ...schema,
  arguments: schema.arguments ?? ({} as M),
});

export type ArgumentsOf<C> = C extends CommandSchema<infer M> ? Arguments<M> : never;
export type ResultOf<C> = C extends CommandSchema<Members, infer R> ? Result<R> : never;

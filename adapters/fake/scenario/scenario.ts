// SPDX-License-Identifier: Apache-2.0
import type { PosixCode } from '../../../core/errors/posix-errno.ts';
import type { HookPhase } from '../../../core/ports/index.ts';
import type { MachineDescription } from '../description.ts';

/** A guest and what goes wrong in it: what a host program is tried out against. Durations are milliseconds. */
export interface Scenario {
  /** What it is about, for people. */
  readonly description?: string;
  /** What is different from the default machine. */
  readonly machine?: Partial<MachineDescription>;
  readonly timeline?: readonly Entry[];
}

/** When something happens: after so much of the machine's time, or with a command. */
export type Trigger =
  | { readonly at: number }
  | {
      /** A command's name: the entry takes effect when the request arrives, before the agent sees it. */
      readonly on: string;
      /** With which of these requests; default 1, the first. */
      readonly nth?: number;
      /** With every one from `nth` on. */
      readonly every?: boolean;
      /** So long after the request. */
      readonly after?: number;
    };

export type Entry = Trigger & Action;

/** A mount point of the machine. */
interface Of {
  readonly of: string;
}

export type Action =
  /** Freezing this file system takes so long; without a limit, until `release`. */
  | ({ readonly do: 'freeze-hangs'; readonly for?: number } & Of)
  | ({ readonly do: 'freeze-fails'; readonly error?: PosixCode } & Of)
  | ({ readonly do: 'thaw-hangs'; readonly for?: number } & Of)
  | ({ readonly do: 'thaw-fails'; readonly error?: PosixCode } & Of)
  /** Data that is not written yet, and how long writing it takes. */
  | ({ readonly do: 'dirty'; readonly bytes: number; readonly flush?: number } & Of)
  | ({ readonly do: 'fill' } & Of)
  | ({ readonly do: 'free' } & Of)
  /** Somebody else in the guest freezes or thaws. */
  | ({ readonly do: 'freeze-behind' } & Of)
  | ({ readonly do: 'thaw-behind' } & Of)
  /** The process that holds the freeze is killed. */
  | { readonly do: 'holder-dies' }
  | { readonly do: 'hook-fails'; readonly name: string; readonly phase?: HookPhase; readonly output?: string }
  | { readonly do: 'hook-hangs'; readonly name: string; readonly phase?: HookPhase; readonly for: number }
  /** The wall clock moves; back where negative. */
  | { readonly do: 'clock-jumps'; readonly by: number }
  /** The guest goes on from a snapshot of so long ago, or as a copy of itself, and the hypervisor says so. */
  | { readonly do: 'restored'; readonly by: number }
  | { readonly do: 'forked' }
  /** The agent is killed; a new one comes after `restart`, or never. */
  | { readonly do: 'agent-dies'; readonly restart?: number | 'never' }
  /** The answer to the command of `on` is not sent, late, broken off with the connection, or replaced. */
  | { readonly do: 'answer-lost' }
  | { readonly do: 'answer-late'; readonly by: number }
  | { readonly do: 'answer-cut'; readonly bytes?: number }
  | { readonly do: 'answer-garbled'; readonly text?: string }
  | { readonly do: 'connection-drops' }
  /** Any call of any port, as for `faults.inject`. */
  | {
      readonly do: 'fault';
      readonly port: string;
      readonly method: string;
      readonly about?: string;
      readonly error?: PosixCode;
      readonly hang?: boolean;
      readonly delay?: number;
      readonly times?: number | 'always';
    }
  /** Whatever hangs goes on. */
  | { readonly do: 'release' };

/** What is done to one answer. */
export type AnswerFault = Extract<Action, { readonly do: `answer-${string}` }>;

export const isAnswerFault = (action: Action): action is AnswerFault => action.do.startsWith('answer-');

// SPDX-License-Identifier: Apache-2.0
/**
 * What outlives an agent. Absent: the agent is all there is, and it never sleeps. (On Linux a process of its own,
 * docs/keeper.md.)
 */
export interface Keeper {
  /** What the agent before this one said when it went to sleep; absent after a death and at the first start. */
  readonly legacy?: string;
  /**
   * Ends this agent and keeps what it serves: the channel stays open, nothing is read from it any more, and the next agent is
   * started when a host says something. To be called when nothing is half said. In one go: what comes a moment later is for
   * the next one. False: not now, for there are answers that wait to be taken, or it cannot be done; nothing has happened then.
   */
  sleep(legacy: string): boolean;
  /** Whether nobody comes after this agent. */
  readonly isEnding?: boolean;
  /** Calls back when the agent is to make room for the next one, an update of it, as soon as it is quiet. Once. */
  onRenewal?(listener: () => void): void;
}

/**
 * Descriptors that outlive an agent, for channels that can be handed to the next one as they are. Numbers of descriptors are
 * the caller's own, before and after.
 */
export interface KeptDescriptors {
  /** The descriptor that an earlier agent has left under this name with this note; `undefined` where there is none. */
  take(name: string, note: string): number | undefined;
  /** All whose names begin so. */
  takeAll(prefix: string): readonly TakenDescriptor[];
  /** What was read of a port while nobody served it: it comes before whatever can be read now. Once. */
  input(name: string): Uint8Array | undefined;
  /**
   * Has another reference to it held, in place of one of that name. `kind`: how it is waited for while no agent does; of `waste`,
   * everything is read and thrown away, and a `file` is taken away from its place when the reference is let go of.
   */
  keep(name: string, kind: 'port' | 'stream' | 'listener' | 'waste' | 'file' | 'plain', note: string, fd: number): void;
  /** Lets go of the reference. Resolves once it is closed. */
  drop(name: string): Promise<void>;
  readonly programs: KeptPrograms;
  /**
   * Makes a guardian of a freeze of what keeps, which takes no program from a disk. It talks on `fd`, which stays the caller's.
   * Its process number. Absent: not now, or not one of the same make.
   */
  readonly guard?: ((fd: number) => Promise<number>) | undefined;
  /** Whether the keeper itself is about to end: then nobody comes after this agent. */
  readonly isEnding: boolean;
}

/** What a channel can keep: under names of its own, whatever other channels there are. */
export type KeptOfChannel = Omit<KeptDescriptors, 'programs' | 'guard'>;

/** Programs whose end is known whoever is there to see it. Each has a number of its own, for process numbers come again. */
export interface KeptPrograms {
  /** Has a child noted, and answers its number. `owner`: whose it is, which the next agent is told. */
  begin(pid: number, owner?: string): number;
  /** This process has seen it end, and is about to reap it: `status` as of waitpid(2). */
  ended(serial: number, status: number): void;
  forget(serial: number): void;
  /** Those that earlier agents have begun and not forgotten; with a `status` where they have ended, as `onEnded` has it. */
  left(): readonly LeftProgram[];
  /** Calls back when one of those ends, each listener; with a negative `status` where nobody can tell how. */
  onEnded(listener: (serial: number, status: number) => void): void;
}

export interface LeftProgram {
  readonly serial: number;
  readonly pid: number;
  readonly owner: string;
  readonly status: number | undefined;
}

export interface TakenDescriptor {
  readonly name: string;
  readonly note: string;
  readonly fd: number;
}

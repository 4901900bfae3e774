// SPDX-License-Identifier: Apache-2.0
/**
 * Freezing file systems: a session is begun, asked and ended.
 *
 * The core decides *what* and *in which order* (`core/freeze/plan.ts`), runs hooks, keeps the state and the marker;
 * the backend finds the facts and makes the calls. Everything that a thaw needs exists once `begin` has resolved:
 * a thaw opens no file, loads no module and allocates nothing that could wait for a frozen disk.
 */
export interface Freezing {
  /**
   * Every mounted file system that the reference would list, and those it would pass over, in mount order, one entry
   * per superblock. Touches nothing. @throws failed error when the list of mounts itself cannot be read
   */
  survey(): Promise<readonly FreezeCandidate[]>;
  /**
   * A freeze is about to be planned: what `begin` would have to wait for may be started meanwhile. Never throws. Whoever asks
   * calls `cancel` in the end, which has no effect once a session has begun.
   */
  prepare?(): { cancel(): void };
  /**
   * Prepares a session for exactly these file systems, in levels: all of one level may be frozen side by side, a level is
   * finished before the next begins. Opens whatever freezing and thawing will need. Nothing is frozen yet.
   * When it rejects nothing is left behind.
   *
   * @throws os error with the mount point as `path`, e.g. `EACCES` for a mount point that cannot be opened
   */
  begin(request: FreezeRequest): Promise<FreezeSession>;
  /**
   * The session of an agent that is gone, where its guardian (or the system's own memory of it) still holds it.
   * `undefined` where there is none.
   */
  recover(marker: FreezeMarkerData): Promise<FreezeSession | undefined>;
  /**
   * Thaws whatever is frozen on the listed file systems, in the order given (all that the reference would list, in mount
   * order, where absent), by whomever it was frozen, calling until the system says that nothing is frozen any more. The
   * way out after a crash, and what the reference does on every thaw. A listed file system that cannot be reached and may be
   * frozen still is an outcome with an `error`.
   *
   * @param except ids that the caller has just thawed itself: they need not be asked again
   */
  thawEverything(only?: readonly FrozenTarget[], except?: ReadonlySet<string>): Promise<readonly ThawOutcome[]>;
}

/** One superblock (Linux) or volume (Windows). */
export interface FreezeCandidate {
  /** Identity within this survey: `8:1` for a superblock's device, a volume GUID path on Windows. */
  readonly id: string;
  /** All places where it is mounted in the agent's view, oldest first; the first is its name on the wire. */
  readonly mountPoints: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly readOnly: boolean;
  /** Ids of the file systems that hold its backing store (a loop file's, through dm, md or LVM too). */
  readonly backing: readonly string[];
  /** Not to be frozen, and why: a fact of the system (`network`, `fuse`, `pseudo`, `overlay`, …) with a sentence. */
  readonly leftOut?: { readonly reason: LeftOutReason; readonly detail: string };
  /** Bytes not yet written back, where the system tells. */
  readonly dirtyBytes?: bigint;
  /** How long writing them back is likely to take at the pace that the disk showed last, in milliseconds. */
  readonly flushEstimateMs?: number;
  /** Why freezing it now would hang, as the end of a sentence: `dm-0 (vg-home), on which it lies, is suspended`. */
  readonly suspended?: string;
}

export type LeftOutReason =
  | 'read-only' | 'network' | 'fuse' | 'overlay' | 'pseudo' | 'not-freezable' | 'excluded' | 'cannot-open' | 'covered' | 'no-device';

export interface FreezeRequest {
  /** Order of freezing: `levels[0]` first. Thawing goes through it backwards. */
  readonly levels: readonly (readonly FreezeTarget[])[];
  /** Until when a frozen file system stays so without a thaw, in milliseconds from the first freeze; 0: for ever. */
  readonly deadlineMs: number;
  /** How long the freezing itself may take before it counts as failed, in milliseconds; 0: for ever. */
  readonly freezeWithinMs: number;
  /** Where the session's holder leaves what a later agent needs to find it again. */
  readonly stateDirectory: string;
}

export interface FreezeTarget {
  readonly id: string;
  readonly mountPoint: string;
}

export interface FreezeSession {
  /** What `recover` of a later agent needs, stored in the marker before the first freeze. Opaque to the core. */
  readonly recoveryData: Readonly<Record<string, string>>;
  /** What the administrator should know of this machine, a sentence each: logged once. */
  readonly remarks?: readonly string[];
  /** Writes back dirty data of all targets side by side, so that freezing is short. Failures are the freeze's to report. */
  flush(): Promise<void>;
  /**
   * Freezes level by level, stopping after the level in which one failed. Resolves with an outcome for every target
   * that was tried; what was frozen stays so until `thaw`, or is thawed at once by the backend when one failed (`thaw`
   * then answers what came of it). Never leaves the event loop waiting.
   */
  freeze(): Promise<readonly FreezeOutcome[]>;
  /** Thaws what this session froze, in the reverse order, and ends it. Idempotent: a second call answers the same. */
  thaw(): Promise<readonly ThawOutcome[]>;
  /** What went wrong beside the freeze and does not concern what is frozen, a whole sentence each; known once `freeze` has resolved. */
  readonly warnings?: readonly string[];
  /** Settles when the session ended without `thaw` of this object; all that could be thawed is. Stays pending after `thaw`. */
  readonly ended: Promise<FreezeEnd>;
}

export interface FreezeOutcome {
  readonly id: string;
  readonly mountPoint: string;
  /** `unsupported` and `busy` (frozen already, by somebody else) are not counted and not errors. */
  readonly result: 'frozen' | 'unsupported' | 'busy' | 'failed';
  /** For `failed`: the whole sentence, `failed to freeze /data: Input/output error`. */
  readonly error?: string;
  /** Wall clock, nanoseconds, and how long flush and freeze took, in nanoseconds. */
  readonly frozenAt?: bigint;
  readonly flushNs?: bigint;
  readonly freezeNs?: bigint;
}

export interface ThawOutcome {
  readonly id: string;
  readonly mountPoint: string;
  /** Something was thawed. False: it was not frozen any more, or could not be reached. */
  readonly thawed: boolean;
  /** The whole sentence, `failed to thaw /data: Input/output error`: it may be frozen still. */
  readonly error?: string;
  /** It was not asked, and why, as a whole sentence: asking would have hung. It need not be frozen. */
  readonly leftOut?: string;
  readonly thawedAt?: bigint;
}

export interface FreezeEnd {
  /** `elsewhere`: somebody else thawed through the same session, an administrator with `concierge-ga thaw`. */
  readonly reason: 'deadline' | 'holder-lost' | 'system-limit' | 'elsewhere';
  readonly detail: string;
  /** Wall clock, nanoseconds. */
  readonly at: bigint;
  readonly thawed: readonly ThawOutcome[];
}

export interface FrozenTarget {
  readonly id: string;
  readonly mountPoint: string;
}

/** What is remembered on disk about a freeze, for an agent that starts after this one died. */
export interface FreezeMarkerData {
  readonly bootId: string;
  /** In the order of freezing; none while only hooks have run. */
  readonly targets: readonly FrozenTarget[];
  /** Wall clock, nanoseconds; 0: none. */
  readonly deadlineAt: bigint;
  readonly recoveryData: Readonly<Record<string, string>>;
}

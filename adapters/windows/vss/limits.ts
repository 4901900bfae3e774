// SPDX-License-Identifier: Apache-2.0
/** How long each step of a freeze may take, in milliseconds. VSS has no limits of its own for most of them. */
export interface Limits {
  /** A call that should be short: VSS asks its service, which may hang. */
  readonly callMs: number;
  /** A call that may be the first of the service, which the system starts for it. */
  readonly startMs: number;
  /** Writers say what they have, and how they are. */
  readonly gatherMs: number;
  /** Writers may flush whole databases. */
  readonly prepareMs: number;
  /** DoSnapshotSet, besides what the request allows for the way to the hold. */
  readonly snapshotMs: number;
  readonly completeMs: number;
  /** An operation that was told to end. */
  readonly cancelMs: number;
}

export const defaultLimits: Limits = {
  callMs: 30_000,
  startMs: 120_000,
  gatherMs: 120_000,
  prepareMs: 180_000,
  snapshotMs: 120_000,
  completeMs: 60_000,
  cancelMs: 15_000,
};

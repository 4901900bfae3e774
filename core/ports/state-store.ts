// SPDX-License-Identifier: Apache-2.0
import type { FreezeMarkerData } from './freezing.ts';

/** What outlives the agent. Lies where it is writable while every file system is frozen. */
export interface StateStore {
  /**
   * Sets `count` handle numbers aside, durably, and answers the first; no number is ever handed out twice, restarts
   * and lost or damaged state included. @throws failed error `failed to commit persistent state to disk`
   */
  reserveHandles(count: number): Promise<bigint>;
  /** Remembers, synchronised to the disk, that a freeze is about to happen. Called before the first freeze. */
  writeFreezeMarker(marker: FreezeMarkerData): Promise<void>;
  /** Forgets it. Called after the last thaw. A marker that is not there is no error. */
  removeFreezeMarker(): Promise<void>;
  /** What an earlier agent left; `undefined` where there is none, or it is of an earlier boot. */
  readFreezeMarker(): Promise<FreezeMarkerData | undefined>;
  /** The directory, for what a freeze session keeps beside the marker. */
  readonly directory: string;
  /** Identity of this boot, for the marker. */
  bootId(): Promise<string>;
}

// SPDX-License-Identifier: Apache-2.0
import type { FreezeMarkerData, StateStore } from '../../core/ports/index.ts';

export interface FakeStateStoreOptions {
  readonly bootId?: string;
  readonly directory?: string;
  /** The first number that is handed out; 1000 like the reference's. */
  readonly firstHandle?: bigint;
}

/**
 * State in memory. It outlives agents as long as the test keeps the object: give the same one to the next agent, and
 * another `currentBoot` for a guest that was restarted meanwhile.
 */
export class FakeStateStore implements StateStore {
  readonly directory: string;
  /** Identity of this boot; a marker of another one is not answered. */
  currentBoot: string;
  marker: FreezeMarkerData | undefined;
  nextHandle: bigint;

  constructor(options: FakeStateStoreOptions = {}) {
    this.currentBoot = options.bootId ?? '11111111-2222-4333-8444-555555555555';
    this.directory = options.directory ?? '/run/concierge-ga';
    this.nextHandle = options.firstHandle ?? 1000n;
  }

  async reserveHandles(count: number): Promise<bigint> {
    const first = this.nextHandle;
    this.nextHandle += BigInt(count);
    return first;
  }

  async writeFreezeMarker(marker: FreezeMarkerData): Promise<void> {
    this.marker = marker;
  }

  async removeFreezeMarker(): Promise<void> {
    this.marker = undefined;
  }

  async readFreezeMarker(): Promise<FreezeMarkerData | undefined> {
    return this.marker?.bootId === this.currentBoot ? this.marker : undefined;
  }

  async bootId(): Promise<string> {
    return this.currentBoot;
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What the kernel tells of a device: `ACTION`, `DEVPATH`, `SUBSYSTEM` and what is its own. */
export type Uevent = ReadonlyMap<string, string>;

/** What native/linux/uevents.cc offers. */
export interface UeventAddon {
  /** A descriptor that hears of them from now on. @throws os error */
  openUevents(): number;
  /** Owns `fd`. */
  readonly UeventReader: new (fd: number, onMessage: (bytes: Uint8Array) => void) => { close(): void };
}

/** As which the socket outlives the agent. */
const keptName = 'uevents';
const note = 'kernel';

/**
 * The kernel's uevents, for whoever wants them: one socket in the event loop, open while somebody listens. Where a keeper goes on in
 * the agent's place, what comes meanwhile waits in the socket and wakes the next one.
 */
export class Uevents {
  readonly #addon: UeventAddon;
  readonly #kept: KeptDescriptors | undefined;
  readonly #listeners = new Set<(event: Uevent) => void>();
  /** Of an agent before this one: taken at once, or the keeper lets go of it. */
  #left: number | undefined;
  #reader: { close(): void } | undefined;

  constructor(kept?: KeptDescriptors, addon: UeventAddon = nativeAddon() as NativeAddon & UeventAddon) {
    this.#addon = addon;
    this.#kept = kept;
    this.#left = kept?.take(keptName, note);
  }

  /** Answers how to stop. @throws os error where there are none to be had */
  listen(listener: (event: Uevent) => void): () => void {
    const own = (event: Uevent): void => listener(event);
    this.#reader ??= this.#open();
    this.#listeners.add(own);
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
      this.#reader?.close();
      this.#reader = undefined;
    };
  }

  #open(): { close(): void } {
    const fd = this.#left ?? this.#addon.openUevents();
    if (this.#left === undefined) this.#kept?.keep(keptName, 'stream', note, fd);
    this.#left = undefined;
    return new this.#addon.UeventReader(fd, (bytes) => {
      const event = ueventFrom(bytes);
      for (const listener of this.#listeners) listener(event);
    });
  }
}

/** `ACTION@DEVPATH` and then `NAME=VALUE` each, with a zero byte behind each. */
export function ueventFrom(bytes: Uint8Array): Uevent {
  const words = Buffer.from(bytes).toString('latin1').split('\0').slice(1);
  return new Map(words.flatMap((word) => {
    const at = word.indexOf('=');
    return at <= 0 ? [] : [[word.slice(0, at), word.slice(at + 1)] as const];
  }));
}

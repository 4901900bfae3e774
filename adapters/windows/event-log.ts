// SPDX-License-Identifier: Apache-2.0
import type { SystemLog } from '../shared/system-log.ts';
import { advapi32 } from './bindings/advapi32.ts';
import { keepAlive, koffi, type Pointer } from './koffi.ts';
import { wide } from './layout.ts';
import { eventSource } from './service-identity.ts';

/** EVENTLOG_*_TYPE of winnt.h. */
const types = { error: 1, warning: 2, info: 4 } as const;
type Level = keyof typeof types;

/** As qemu-ga 10.2: the level tells them apart, and the message file has the same text for every number. */
const eventId = 1;
/** Of ReportEvent, for one text. */
const longestText = 31_000;
/** Reports that wait for the event log's service. */
const mostWaiting = 64;

/**
 * Writes entries into the event log of applications, one after the other: a service that hangs takes one thread of the pool
 * and no more. Never throws, never waits; what has to be dropped meanwhile is counted in an entry of its own.
 */
export class EventLog implements SystemLog {
  #source: Pointer = 0n;
  #waiting: { readonly level: Level; readonly text: string }[] = [];
  #dropped = 0;
  #writing: Promise<void> | undefined;

  report(level: Level, text: string): void {
    if (this.#waiting.length >= mostWaiting) this.#dropped += 1;
    else this.#waiting.push({ level, text });
    this.#writing ??= this.#writeOn();
  }

  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeOn(): Promise<void> {
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#write(next.level, next.text);
    } finally {
      this.#writing = undefined;
    }
  }

  #next(): { readonly level: Level; readonly text: string } | undefined {
    const next = this.#waiting.shift();
    if (next !== undefined || this.#dropped === 0) return next;
    const text = `${this.#dropped} entries were dropped here: the event log could not be written fast enough`;
    this.#dropped = 0;
    return { level: 'warning', text };
  }

  /** A machine whose event log does not work loses its entries and nothing else; and only as long as it does not work. */
  async #write(level: Level, text: string): Promise<void> {
    try {
      // Early at boot the event log's service may not be there yet: it is asked again for the next entry.
      if (this.#source === 0n) this.#source = (await advapi32.RegisterEventSourceW.async(null, eventSource)).result;
      if (this.#source === 0n) return;
      const memory = wide(text.slice(0, longestText));
      const texts = Buffer.alloc(8);
      texts.writeBigUInt64LE(koffi().address(memory));
      await advapi32.ReportEventW.async(this.#source, types[level], 0, eventId, null, 1, 0, texts, null);
      keepAlive(memory, texts);
    } catch {
      // koffi refuses a call while too many are out. There is nowhere to tell it: this is where the agent tells.
    }
  }
}

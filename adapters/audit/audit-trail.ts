// SPDX-License-Identifier: Apache-2.0
import type { Audit, AuditEntry } from '../../core/ports/audit.ts';

/** Where entries go. */
export interface AuditSink {
  /** Never throws and never waits. False: it is lost. */
  write(entry: AuditEntry): boolean;
  /** Says that so many were lost before. False: that is lost, too. */
  writeLost(count: number): boolean;
  reopen?(): string | undefined;
  idle(): Promise<void>;
}

/** Entries that wait while file systems are frozen. */
export const MAX_HELD_ENTRIES = 1024;

/** What hosts made the guest do, one entry after the other. While it is held nothing is written; what is lost is counted. */
export class AuditTrail implements Audit {
  readonly #sink: AuditSink;
  #held: boolean;
  #waiting: AuditEntry[] = [];
  #lost = 0;

  constructor(sink: AuditSink, held = false) {
    this.#sink = sink;
    this.#held = held;
  }

  record(entry: AuditEntry): void {
    if (!this.#held) this.#write(entry);
    else if (this.#waiting.length < MAX_HELD_ENTRIES) this.#waiting.push(entry);
    else this.#lost += 1;
  }

  /** Resolves when nothing is on its way any more, or after `patience`. */
  async hold(): Promise<void> {
    this.#held = true;
    await this.#sink.idle();
  }

  release(): void {
    this.#held = false;
    for (const entry of this.#waiting.splice(0)) this.#write(entry);
  }

  reopen(): string | undefined {
    return this.#sink.reopen?.();
  }

  flush(): Promise<void> {
    return this.#sink.idle();
  }

  #write(entry: AuditEntry): void {
    if (this.#lost > 0 && this.#sink.writeLost(this.#lost)) this.#lost = 0;
    if (!this.#sink.write(entry)) this.#lost += 1;
  }
}

/** One JSON object on a line. */
export function auditLine({ at, microseconds, ...rest }: AuditEntry): string {
  return `${JSON.stringify({ time: timeText(at), ...rest, microseconds })}\n`;
}

/** In UTC, to the microsecond. */
export function timeText(at: bigint): string {
  const microseconds = at / 1000n;
  return `${new Date(Number(microseconds / 1000n)).toISOString().slice(0, -1)}${String(microseconds % 1000n).padStart(3, '0')}Z`;
}

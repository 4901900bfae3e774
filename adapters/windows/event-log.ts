import { advapi32 } from './bindings/advapi32.ts';
import { keepAlive, koffi, type Pointer } from './koffi.ts';
import { wide } from './layout.ts';
import { eventSource } from './service-identity.ts';

const types = { error: 1, warning: 2, info: 4 } as const;
const eventId = 1;
/** Of ReportEvent, for one text. */
const longestText = 31_000;
/** Reports that wait for the event log's service; past it entries are dropped. */
const mostWaiting = 64;

/** Writes entries into the event log of applications. Never throws, never waits. */
export class EventLog {
  #source: Pointer | undefined;
  #waiting = 0;

  report(level: keyof typeof types, text: string): void {
    if (this.#waiting >= mostWaiting) return;
    this.#source ??= advapi32.RegisterEventSourceW(null, eventSource);
    if (this.#source === 0n) return;
    const memory = wide(text.slice(0, longestText));
    const texts = Buffer.alloc(8);
    texts.writeBigUInt64LE(koffi().address(memory));
    this.#waiting += 1;
    const done = (): void => {
      this.#waiting -= 1;
      keepAlive(memory, texts);
    };
    void advapi32.ReportEventW.async(this.#source, types[level], 0, eventId, null, 1, 0, texts, null).catch(() => undefined).finally(done);
  }
}

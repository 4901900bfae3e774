// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { pdh, PDH_FMT_COUNTERVALUE } from './bindings/pdh.ts';
import type { Out, Pointer } from './koffi.ts';
import { readFields } from './layout.ts';
import { hexCode } from './system-error.ts';

/** English whatever the language of the system, because of PdhAddEnglishCounter. */
const counterPath = '\\System\\Processor Queue Length';
const sampleMs = 5_000;
/** Nobody has asked for so long: sampling stops until somebody does. */
const idleMs = 15 * 60_000;

const PDH_FMT_LONG = 0x100;

/** exp(-5/60), exp(-5/300), exp(-5/900): how much of an average is left after a sample (qemu-ga 10.2, and Linux). */
const decay = [0.9200444146293233, 0.9834714538216175, 0.9944598480048967] as const;

interface Query {
  readonly handle: Pointer;
  readonly counter: Pointer;
}

/**
 * Averages of the processor queue's length, which stands for the load on Windows. Windows keeps none itself: sampling
 * begins with the first question, which answers 0/0/0 (qemu-ga 10.2), and ends when nobody asks any more.
 */
export class LoadAverage {
  #averages: readonly [number, number, number] = [0, 0, 0];
  #query: Query | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastAsked = 0;
  #sampling = false;

  /** @throws failed error of the performance counters, which can be switched off */
  async average(): Promise<readonly [number, number, number]> {
    this.#lastAsked = Date.now();
    if (this.#query === undefined) {
      this.#query = await openQuery();
      this.#averages = [0, 0, 0];
    }
    this.#timer ??= setInterval(() => void this.#sample(), sampleMs).unref();
    return this.#averages;
  }

  /** Takes one sample. Never rejects: one that fails is left out. */
  async #sample(): Promise<void> {
    const query = this.#query;
    if (query === undefined || this.#sampling) return;
    this.#sampling = true;
    // The first collection loads the counters' DLLs from the disk.
    const { result } = await pdh.PdhCollectQueryData.async(query.handle);
    this.#sampling = false;
    if (result === 0) this.#add(query.counter);
    if (Date.now() - this.#lastAsked > idleMs) this.#stop(query);
  }

  #add(counter: Pointer): void {
    const value = Buffer.alloc(PDH_FMT_COUNTERVALUE.size);
    if (pdh.PdhGetFormattedCounterValue(counter, PDH_FMT_LONG, null, value) !== 0) return;
    const { longValue } = readFields(PDH_FMT_COUNTERVALUE, value);
    const [one, five, fifteen] = this.#averages;
    const blend = (average: number, factor: number): number => average * factor + longValue * (1 - factor);
    this.#averages = [blend(one, decay[0]), blend(five, decay[1]), blend(fifteen, decay[2])];
  }

  #stop(query: Query): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#query = undefined;
    pdh.PdhCloseQuery(query.handle);
  }
}

async function openQuery(): Promise<Query> {
  const handle: Out<Pointer | null> = [null];
  const opened = pdh.PdhOpenQueryW(null, null, handle);
  if (opened !== 0 || handle[0] === null) throw AgentError.failed(`PdhOpenQueryW failed with ${hexCode(opened)}`);
  const counter: Out<Pointer | null> = [null];
  const { result } = await pdh.PdhAddEnglishCounterW.async(handle[0], counterPath, null, counter);
  if (result === 0 && counter[0] !== null) return { handle: handle[0], counter: counter[0] };
  pdh.PdhCloseQuery(handle[0]);
  throw AgentError.failed(`PdhAddEnglishCounterW failed with ${hexCode(result)}. Performance counters may be disabled.`);
}

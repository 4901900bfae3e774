// SPDX-License-Identifier: Apache-2.0
import type { EventEmitter } from 'node:events';

/** What asks a program to end: Ctrl-C, a supervisor, a terminal that is closed. */
export const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type EndingSignal = (typeof endingSignals)[number];

const numbers: Readonly<Record<EndingSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/** The exit status that a shell gives to a program that was ended by a signal. */
export const statusOfSignal = (signal: EndingSignal): number => 128 + numbers[signal];

export const isEndingSignal = (value: unknown): value is EndingSignal => endingSignals.some((signal) => signal === value);

/** Takes these signals away from Node, which would end at once, until it is disposed. */
export class SignalWatch implements Disposable {
  readonly #from: EventEmitter;
  readonly #listeners: ReadonlyMap<EndingSignal, () => void>;

  /** @param from the process; another in a test @param on called for each that comes */
  constructor(from: EventEmitter, on: (signal: EndingSignal) => void) {
    this.#from = from;
    this.#listeners = new Map(endingSignals.map((signal) => [signal, () => on(signal)]));
    for (const [signal, listener] of this.#listeners) from.on(signal, listener);
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) this.#from.off(signal, listener);
  }
}

/** Does something that the first of these signals gives up; the second has its own effect. */
export async function untilSignal<T>(from: EventEmitter, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  using watch = new SignalWatch(from, (signal) => {
    watch[Symbol.dispose]();
    controller.abort(signal);
  });
  return await work(controller.signal);
}

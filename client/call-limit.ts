// SPDX-License-Identifier: Apache-2.0
import { ClientError } from './client-error.ts';
import { secondsText } from './seconds-text.ts';

/** Time limit and cancellation of one call, the wait for its turn not included. */
export class CallLimit implements Disposable {
  /** Of the whole call; 0: no limit. */
  readonly timeoutMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#expire(new ClientError('aborted', 'the call was given up', { cause: this.#signal?.reason }));
  #expired: ClientError | undefined;
  #listener: ((error: ClientError) => void) | undefined;

  /** @param timeoutMs 0: no limit */
  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.timeoutMs = timeoutMs;
    this.#signal = signal;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#expire(new ClientError('timeout', `no answer within ${secondsText(timeoutMs)}`)), timeoutMs);
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** @throws ClientError `aborted`, `timeout` */
  check(): void {
    if (this.#expired !== undefined) throw this.#expired;
  }

  onExpired(listener: ((error: ClientError) => void) | undefined): void {
    this.#listener = listener;
    if (this.#expired !== undefined) listener?.(this.#expired);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  #expire(error: ClientError): void {
    this.#expired ??= error;
    this.#listener?.(this.#expired);
  }
}

/** Fails at once when it is given up, not when its turn comes: what it waits for goes on. @throws ClientError `aborted` */
export function unlessAborted<T>(turn: Promise<T>, signal: AbortSignal, sentence = 'the call was given up'): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new ClientError('aborted', sentence, { cause: signal.reason }));
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    void turn.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

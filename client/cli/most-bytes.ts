// SPDX-License-Identifier: Apache-2.0
import { ClientError } from '../client-error.ts';
import { UsageError } from './usage-error.ts';

const units: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 };

/** `--max-size`: how much a guest may send. */
export class MostBytes {
  readonly #given: string;
  #left: number;

  /** @param given a number of bytes, or of KiB, MiB, GiB or TiB as `500M` @throws UsageError */
  constructor(given: string) {
    const [, digits, unit = ''] = /^(\d{1,15})([KMGT]?)$/.exec(given) ?? [];
    if (digits === undefined) throw new UsageError(`--max-size takes a number of bytes, or as 500M or 2G, not '${given}'`);
    this.#given = given;
    this.#left = Number(digits) * (units[unit] ?? 1);
  }

  /** @throws ClientError when it was more than that */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new ClientError('too-large', `the guest sends more than --max-size ${this.#given}`);
  }
}

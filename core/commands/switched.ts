// SPDX-License-Identifier: Apache-2.0
/** Runs that a line of the log names; a host can ask for as many as a request holds. */
const MAX_RUNS = 32;

interface Run {
  readonly first: bigint;
  last: bigint;
  readonly what: string;
}

/**
 * What was done to many numbered things in one call, for one line of the log: a line for each of 8192 memory blocks would
 * cost more than switching them.
 */
export class Switched {
  readonly #runs: Run[] = [];
  #more = 0;

  add(number: bigint, online: boolean, outcome: string): void {
    const what = `${online ? 'on' : 'off'} line${outcome}`;
    const run = this.#runs.at(-1);
    if (this.#more === 0 && run !== undefined && run.what === what && number === run.last + 1n) run.last = number;
    else if (this.#runs.length < MAX_RUNS) this.#runs.push({ first: number, last: number, what });
    else this.#more += 1;
  }

  /** `0-8191 on line: success, 8192 off line: operation-failed` */
  text(): string {
    const runs = this.#runs.map(({ first, last, what }) => `${first === last ? first : `${first}-${last}`} ${what}`);
    return [...runs, ...(this.#more > 0 ? [`${this.#more} more`] : [])].join(', ') || 'none';
  }
}

// SPDX-License-Identifier: Apache-2.0
/**
 * Lets so many calls through at a time and the others wait. What can block on a disk runs on libuv's pool, and a stuck
 * disk must not take all of it: two threads stay free for those who end a freeze.
 */
export class Lane {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(width: number) {
    this.#width = width;
  }

  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#running < this.#width) this.#running += 1;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    try {
      return await call();
    } finally {
      // The place is handed over, so that nobody comes in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

/** The service is installed with a pool of 16 (`Environment` of its key): without a word it has four threads. */
const poolSize = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

/** For all calls on files, volumes and disks. */
export const fileLane = new Lane(Math.max(1, poolSize - 2));

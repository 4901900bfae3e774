// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { run } from './host.ts';

/** libvirt tells of everything here within milliseconds; the guest behind it is emulated. */
const WITHIN = 240_000;

/** What libvirt tells of a machine: each event a line of `virsh event`. */
export class DomainEvents {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  #rest = '';
  #arrived: () => void = () => {};

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#arrived();
    });
    process.once('exit', () => this.#arrived());
  }

  /** Resolves once events are heard. */
  static async of(uri: string, domain: string): Promise<DomainEvents> {
    // virsh says nothing when it has begun to listen, and writes to a pipe only when its buffer is full.
    const events = new DomainEvents(spawn('stdbuf', ['-oL', 'virsh', '-c', uri, 'event', domain, '--all', '--loop'], { stdio: ['ignore', 'pipe', 'inherit'] }));
    for (let attempt = 0; events.#lines.length === 0; attempt += 1) {
      const heard = events.next(/metadata-change/, 0, 1000).catch(() => undefined);
      await run('virsh', ['-c', uri, 'metadata', domain, '--uri', 'urn:lab', '--key', 'lab', '--set', `<attempt number='${attempt}'/>`]);
      await heard;
      if (attempt > 60) throw new Error('virsh tells of no event');
    }
    return events;
  }

  /** How many have come: what `next` looks from. */
  get count(): number {
    return this.#lines.length;
  }

  /** The first event that matches, among those that came after the first `from`. @throws when none comes in time */
  async next(pattern: RegExp, from: number, within = WITHIN): Promise<string> {
    for (const deadline = performance.now() + within; ; ) {
      const found = this.#lines.slice(from).find((line) => pattern.test(line));
      if (found !== undefined) return found;
      const left = deadline - performance.now();
      if (left <= 0 || this.#process.exitCode !== null) throw new Error(`libvirt has not told of ${pattern}; it told of ${JSON.stringify(this.#lines.slice(from))}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#arrived = resolve;
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill();
    await once(this.#process, 'exit');
  }
}

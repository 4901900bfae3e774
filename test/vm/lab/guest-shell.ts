// SPDX-License-Identifier: Apache-2.0
import { LineSocket } from './line-socket.ts';

export interface ShellResult {
  readonly status: number;
  readonly output: string;
}

/** What the guest says when its shell has come up. */
const GREETING = 'ready';

/** Emulated, and perhaps beside other work: long enough for everything that ends at all. */
const WITHIN = 240_000;

/** Commands in the guest, past the agent: shows what the guest itself sees. One at a time. */
export class GuestShell {
  readonly #line: LineSocket;
  /** Scripts whose answers were waited for in vain, and may still come. */
  readonly #unanswered: string[] = [];

  private constructor(line: LineSocket) {
    this.#line = line;
  }

  /** Resolves once the guest has booted so far that it takes commands. */
  static async connect(path: string, bootWithin: number): Promise<GuestShell> {
    const line = await LineSocket.connect(path);
    const greeting = await line.line(bootWithin);
    if (greeting !== GREETING) throw new Error(`the guest's shell says ${JSON.stringify(greeting)}`);
    return new GuestShell(line);
  }

  /** Of a guest that goes on from a snapshot in which its shell was up. */
  static async resumed(path: string): Promise<GuestShell> {
    return new GuestShell(await LineSocket.connect(path));
  }

  /** Resolves once the guest takes commands again after it has gone down. */
  async rebooted(within: number): Promise<void> {
    for (const deadline = performance.now() + within; ; ) {
      if ((await this.#line.line(Math.max(deadline - performance.now(), 0))) === GREETING) break;
    }
    this.#unanswered.length = 0;
  }

  /** Runs a script of bash; both outputs in one. @throws when it has not ended in time, or one before it still has not */
  async try(script: string, within = WITHIN): Promise<ShellResult> {
    this.#unanswered.push(script);
    this.#line.send(`${Buffer.from(script).toString('base64')}\n`);
    for (const deadline = performance.now() + within; ; ) {
      const [status = '', output = ''] = (await this.#answer(Math.max(deadline - performance.now(), 0))).split(' ');
      this.#unanswered.shift();
      if (this.#unanswered.length === 0) return { status: Number(status), output: Buffer.from(output, 'base64').toString() };
    }
  }

  async #answer(within: number): Promise<string> {
    try {
      return await this.#line.line(within);
    } catch (error) {
      throw new Error(`in the guest this has not ended: ${this.#unanswered[0]}`, { cause: error });
    }
  }

  /** The same for a script that must succeed; resolves to its output. */
  async run(script: string, within?: number): Promise<string> {
    const { status, output } = await this.try(script, within);
    if (status !== 0) throw new Error(`in the guest: ${script}\nended with ${status}: ${output}`);
    return output.trimEnd();
  }

  /** Resolves once the condition, a command of bash, holds. @throws when it does not within the time */
  async until(condition: string, within = 300_000): Promise<void> {
    const seconds = Math.ceil(within / 1000);
    const { status, output } = await this.try(`until ${condition}; do (( SECONDS < ${seconds} )) || exit 1; sleep 0.1; done`, within + 60_000);
    if (status !== 0) throw new Error(`in the guest: not within ${seconds} s: ${condition}\n${output.slice(-2000)}`);
  }

  close(): void {
    this.#line.close();
  }
}

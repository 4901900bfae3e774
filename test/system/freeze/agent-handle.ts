// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { AgentSetup } from './agent-process.ts';

/** An agent in a process of its own. */
export class AgentHandle {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #gone: Promise<unknown>;

  private constructor(setup: AgentSetup) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'agent-process.ts'), JSON.stringify(setup)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#gone = once(this.#child, 'exit');
    // Writing to one that has died is part of the game.
    this.#child.stdin?.on('error', () => {});
    if (this.#child.stdout === null) throw new Error('no standard output');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves with what it says first: how it found the machine. */
  static async start(setup: AgentSetup): Promise<{ agent: AgentHandle; found: { status: string; pid: number } }> {
    const agent = new AgentHandle(setup);
    return { agent, found: (await agent.hear()) as { status: string; pid: number } };
  }

  /** Gives an order and waits for the answer; `undefined` when the agent died of it. */
  async ask(order: string): Promise<unknown> {
    this.tell(order);
    return this.hear();
  }

  tell(order: string): void {
    this.#child.stdin?.write(`${order}\n`);
  }

  async hear(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    return done === true ? undefined : (JSON.parse(value) as unknown);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async died(): Promise<void> {
    await this.#gone;
  }

  /** The ordinary end: everything thawed, and nothing left. */
  async end(): Promise<void> {
    this.#child.stdin?.end();
    await this.#gone;
  }
}

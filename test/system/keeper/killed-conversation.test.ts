// SPDX-License-Identifier: Apache-2.0
/** An agent that is killed at each step of an exchange: what its host hears, and that no byte is lost or comes twice. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import type { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { exec, type Answer } from '../programs/conversation.ts';
import { endAll, keptAgent, starts } from './kept-agent.ts';

const terminal = { rows: 24, columns: 80 };

let lab: string;
let preload: string;
let tokens = 880_000;

/** Where a host is with a program that says what it was told. */
class Echo {
  readonly host: LineClient;
  readonly program: number;
  readonly #keeper: AgentProcess;
  #input = 0;
  #output = 0;
  /** Of output that is no echo. */
  #skipped = 0;

  private constructor(keeper: AgentProcess, host: LineClient, program: number) {
    this.#keeper = keeper;
    this.host = host;
    this.program = program;
  }

  static async start(keeper: AgentProcess, host: LineClient, onTerminal: boolean): Promise<Echo> {
    const args = onTerminal ? { path: '/bin/sh', arg: ['-c', 'stty raw -echo; printf r; exec cat'], terminal } : { path: 'cat', stdin: 'open' };
    const { program } = await exec<{ program: number }>(host, 'start', args);
    const echo = new Echo(keeper, host, program);
    if (onTerminal) {
      // Before that it would echo.
      const ready = await exec<Answer>(host, 'exchange', { program, 'output-offset': 0, 'wait-ms': 10_000 });
      expect(Buffer.from(ready.output ?? '', 'base64').toString()).toBe('r');
      echo.#output = echo.#skipped = 1;
    }
    return echo;
  }

  /** Says it, again and again where an answer is lost, until all of it has come back. */
  async say(bytes: Uint8Array): Promise<Buffer> {
    const from = this.#input;
    const heard: Buffer[] = [];
    while (this.#output < this.#skipped + from + bytes.length) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const answer = await this.#exchange({ input: Buffer.from(bytes).toString('base64', this.#input - from), 'input-offset': this.#input });
      if (answer === undefined) continue;
      const came = Buffer.from(answer.output ?? '', 'base64');
      expect(answer['output-offset']).toBe(this.#output);
      expect(answer['input-accepted']).toBeGreaterThanOrEqual(this.#input);
      expect(answer['input-accepted']).toBeLessThanOrEqual(from + bytes.length);
      this.#input = answer['input-accepted'];
      this.#output += came.length;
      heard.push(came);
    }
    return Buffer.concat(heard);
  }

  /** None where the agent has died without one. */
  async #exchange(args: object): Promise<Answer | undefined> {
    const before = starts(this.#keeper);
    this.host.send(`${JSON.stringify({ execute: '__org.concierge_exec-exchange', arguments: { program: this.program, 'output-offset': this.#output, 'wait-ms': 100, ...args } })}\n`);
    let line: string | undefined;
    const coming = this.host.text().then((text) => (line = text));
    await until(() => line !== undefined || starts(this.#keeper) > before);
    if (line === undefined) {
      tokens += 1;
      this.host.send(`{"execute": "guest-sync", "arguments": {"id": ${tokens}}}\n`);
      await coming;
      if (line === `{"return": ${tokens}}`) return undefined;
      expect(await this.host.text()).toBe(`{"return": ${tokens}}`);
    }
    return (JSON.parse(line as unknown as string) as { return: Answer }).return;
  }
}

const steps = {
  pipes: [
    'pwrite after 1', 'pwrite after 2', 'splice before 1', 'splice after 1', 'splice after 2', 'answer before 1', 'answer after 1',
  ],
  'a terminal': [
    'pwrite after 1', 'pwrite after 2', 'sendfile before 1', 'sendfile after 1', 'splice after 1', 'splice after 2', 'answer before 1', 'answer after 1',
  ],
} as const;

describe.skipIf(spawnSync('cc', ['--version']).status !== 0)('an agent that is killed within an exchange (needs a C compiler)', () => {
  beforeAll(() => {
    lab = mkdtempSync(join(tmpdir(), 'concierge-killed-'));
    preload = join(lab, 'killed-at.so');
    const built = spawnSync('cc', ['-O1', '-shared', '-fPIC', '-o', preload, join(import.meta.dirname, 'killed-at.c'), '-ldl'], { encoding: 'utf8' });
    expect(built.stderr).toBe('');
  });
  afterEach(endAll);
  afterAll(() => rmSync(lab, { recursive: true }));

  it.each(Object.entries(steps))('on %s, at any step: no byte is lost, and none comes twice', async (where, moments) => {
    const order = join(lab, where);
    const begin = async (): Promise<readonly [AgentProcess, LineClient, Echo]> => {
      const keeper = await keptAgent({ words: ['--sleep-after=0'], environment: { LD_PRELOAD: preload, KILLED_AT: order } });
      const host = await keeper.connect();
      return [keeper, host, await Echo.start(keeper, host, where === 'a terminal')];
    };
    let [keeper, host, echo] = await begin();
    for (const [index, moment] of moments.entries()) {
      // The pauses of a keeper grow with each death.
      if (index === 4) {
        host.close();
        [keeper, host, echo] = await begin();
      }
      const before = starts(keeper);
      const first = randomBytes(3);
      expect([moment, (await echo.say(first)).equals(first)]).toEqual([moment, true]);

      writeFileSync(`${order}.new`, moment);
      spawnSync('mv', [`${order}.new`, order]);
      const bytes = randomBytes(3000);
      const back = await echo.say(bytes);
      const last = randomBytes(3);
      const lastBack = await echo.say(last);

      expect([moment, existsSync(order), starts(keeper) - before]).toEqual([moment, false, 1]);
      expect([moment, back.equals(bytes), lastBack.equals(last)]).toEqual([moment, true, true]);
    }
    host.close();
  });
});

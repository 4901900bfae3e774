// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from './build.ts';
import { LineClient } from './line-client.ts';

export const program = join(repository, 'bin/concierge-ga');

/** With CONCIERGE_TEST_KEEPER=1, agents that are started as they ship have a keeper. */
export const hasKeeper = process.env['CONCIERGE_TEST_KEEPER'] === '1';
const usual: readonly string[] = hasKeeper ? [join(repository, 'build/Release/concierge-keeper'), '--', program] : [program];

/** Start, refusal and end may take this long on a busy machine, in milliseconds. */
const PATIENCE_MS = 30_000;

export interface AgentSetup {
  /** Program and what stands before the agent's own words; `bin/concierge-ga` where absent, with a keeper before it where the suite has one. */
  readonly command?: readonly string[];
  /** Behind `-m unix-listen -p … -t …`. */
  readonly words?: readonly string[];
  /** All words, where the usual ones don't serve. */
  readonly allWords?: readonly string[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Kept at the end, with what is in it. Otherwise a new one, removed by `stop`. */
  readonly directory?: string;
  /** From descriptor 3 on. */
  readonly descriptors?: readonly number[];
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An agent that runs as it ships, on a socket and with a state directory of its own. */
export class AgentProcess {
  readonly directory: string;
  readonly socket: string;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #keep: boolean;
  #result: Ended | undefined;
  #stdout = '';
  #stderr = '';

  constructor(setup: AgentSetup = {}) {
    this.#keep = setup.directory !== undefined;
    this.directory = setup.directory ?? scratchDirectory();
    if (setup.user !== undefined) chownSync(this.directory, setup.user.uid, setup.user.gid);
    this.socket = join(this.directory, 's');
    const words = setup.allWords ?? ['-m', 'unix-listen', '-p', this.socket, '-t', this.directory, ...(setup.words ?? [])];
    const [file = program, ...before] = setup.command ?? usual;
    this.#child = spawn(file, [...before, ...words], {
      stdio: ['ignore', 'pipe', 'pipe', ...(setup.descriptors ?? [])],
      env: { ...process.env, QGA_CONF: '/nowhere', ...setup.environment },
      ...(setup.cwd === undefined ? {} : { cwd: setup.cwd }),
      ...setup.user,
    });
    this.#child.stdout?.setEncoding('latin1').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('latin1').on('data', (text: string) => (this.#stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#result = { code, signal };
        resolve(this.#result);
      });
    });
  }

  /** Started and answering. @throws with its own words when it ended instead */
  static async start(setup: AgentSetup = {}): Promise<AgentProcess> {
    const agent = new AgentProcess(setup);
    (await agent.connect()).close();
    return agent;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#result === undefined;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** A new connection, as soon as somebody listens. */
  async connect(path = this.socket): Promise<LineClient> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await LineClient.open(path);
      } catch (error) {
        if (!this.running) throw new Error(`the agent ended with ${JSON.stringify(this.#result)}: ${this.#stderr}`, { cause: error });
        if (Date.now() > deadline) throw error;
        await delay(5);
      }
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** How it ended. @throws when it doesn't, after killing it */
  async end(): Promise<Ended> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }

  /** Asks it to end, and takes away what is left. */
  async stop(): Promise<Ended> {
    this.#child.kill('SIGTERM');
    const ended = await this.end();
    if (!this.#keep) rmSync(this.directory, { recursive: true, force: true });
    return ended;
  }
}

/** A directory for one test, short enough for a socket in it. */
export function scratchDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'cw-'));
}

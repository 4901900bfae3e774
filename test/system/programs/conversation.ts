// SPDX-License-Identifier: Apache-2.0
import type { LineClient } from '../../wire/lib/line-client.ts';

export interface Answer {
  readonly 'input-accepted': number;
  readonly 'input-ended': boolean;
  readonly output?: string;
  readonly 'output-offset': number;
  readonly 'output-ended': boolean;
  readonly errors?: string;
  readonly 'errors-offset': number;
  readonly exited: boolean;
  readonly exitcode?: number;
  readonly signal?: number;
}

export async function ask<T>(host: LineClient, execute: string, args: object = {}): Promise<T> {
  host.send(`${JSON.stringify({ execute, arguments: args })}\n`);
  const line = JSON.parse(String(await host.line())) as { return?: T; error?: { desc: string } };
  if (line.return === undefined) throw new Error(line.error?.desc);
  return line.return;
}

export const exec = <T>(host: LineClient, name: string, args: object = {}): Promise<T> => ask<T>(host, `__org.concierge_exec-${name}`, args);

/** One program as a host knows it that repeats what it has to. */
export class Conversation {
  host: LineClient;
  readonly program: number;
  readonly pid: number;
  offset = 0;
  input = 0;
  /** All output. */
  readonly heard: Buffer[] = [];

  private constructor(host: LineClient, { program, pid }: { readonly program: number; readonly pid: number }) {
    this.host = host;
    this.program = program;
    this.pid = pid;
  }

  static async start(host: LineClient, path: string, args: object = {}): Promise<Conversation> {
    return new Conversation(host, await exec(host, 'start', { path, ...args }));
  }

  get text(): string {
    return Buffer.concat(this.heard).toString('latin1');
  }

  async exchange(args: object = {}): Promise<Answer> {
    const answer = await exec<Answer>(this.host, 'exchange', { program: this.program, 'output-offset': this.offset, 'wait-ms': 10_000, ...args });
    const bytes = Buffer.from(answer.output ?? '', 'base64');
    this.heard.push(bytes);
    this.offset = answer['output-offset'] + bytes.length;
    return answer;
  }

  async type(text: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(text as string, 'latin1');
    while (bytes.length > 0) {
      const { 'input-accepted': accepted } = await this.exchange({ input: bytes.toString('base64'), 'input-offset': this.input, 'wait-for': 'input' });
      this.input += bytes.length;
      if (accepted < this.input) throw new Error(`${accepted} bytes of ${this.input} were accepted`);
      return;
    }
  }

  /** What comes until a text is in it, from where the last one was found. */
  async until(text: string): Promise<string> {
    const from = this.#seen;
    for (;;) {
      const at = this.text.indexOf(text, from);
      if (at >= 0) {
        this.#seen = at + text.length;
        return this.text.slice(from, this.#seen);
      }
      const answer = await this.exchange();
      if (answer['output-ended'] && !this.text.includes(text, from)) throw new Error(`no ${JSON.stringify(text)} in ${JSON.stringify(this.text.slice(from))}`);
    }
  }

  #seen = 0;

  /** Everything, to the end. */
  async end(args: object = {}): Promise<Answer> {
    for (;;) {
      const answer = await this.exchange(args);
      if (answer.exited && answer['output-ended']) return answer;
    }
  }
}

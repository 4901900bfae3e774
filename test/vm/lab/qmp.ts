// SPDX-License-Identifier: Apache-2.0
import { LineSocket } from './line-socket.ts';

type Json = Readonly<Record<string, unknown>>;

/** QEMU's machine protocol, one command at a time; events are kept. */
export class Qmp {
  readonly events: Json[] = [];
  readonly #line: LineSocket;

  private constructor(line: LineSocket) {
    this.#line = line;
  }

  static async connect(path: string): Promise<Qmp> {
    const qmp = new Qmp(await LineSocket.connect(path));
    await qmp.#line.line();
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /** @throws with QEMU's description */
  async execute(command: string, parameters: Json = {}): Promise<unknown> {
    this.#line.send(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    for (;;) {
      const answer = JSON.parse(await this.#line.line()) as Json & { readonly error?: { readonly desc: string } };
      if (answer['event'] !== undefined) {
        this.events.push(answer);
      } else if (answer.error !== undefined) {
        throw new Error(`${command}: ${answer.error.desc}`);
      } else {
        return answer['return'];
      }
    }
  }

  /** Resolves to an event of the name, one that has come already included. */
  async event(name: string, within?: number): Promise<Json> {
    for (;;) {
      const index = this.events.findIndex((event) => event['event'] === name);
      if (index >= 0) return this.events.splice(index, 1)[0] ?? {};
      this.events.push(JSON.parse(await this.#line.line(within)) as Json);
    }
  }

  close(): void {
    this.#line.close();
  }
}

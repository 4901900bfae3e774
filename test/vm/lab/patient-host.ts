// SPDX-License-Identifier: Apache-2.0
import type { LineSocket } from './line-socket.ts';

/** An emulated guest beside other work may be a hundred times as slow as a real one. */
export const PATIENCE = 900_000;

/** A question that an agent took along when it ended is asked again after so long. */
const ASK_AGAIN = 10_000;

/** A host that keeps its end of the port open while agents come and go, as libvirt does. One question at a time. */
export class PatientHost {
  readonly #line: LineSocket;
  #id = 0;

  constructor(line: LineSocket) {
    this.#line = line;
  }

  /** Resolves once an agent answers: the way of a host to find the start of an answer (guest-sync-delimited). */
  async answered(within = PATIENCE): Promise<void> {
    const first = this.#id + 1;
    for (const deadline = performance.now() + within; ; ) {
      this.#id += 1;
      this.#line.send(`\xff{"execute":"guest-sync-delimited","arguments":{"id":${this.#id}}}\n`);
      try {
        for (;;) {
          const [, id] = /\xff\{"return": (\d+)\}$/.exec(await this.#line.line(ASK_AGAIN)) ?? [];
          if (id !== undefined && Number(id) >= first) return;
        }
      } catch (error) {
        // With the machine gone there is nobody to be patient with.
        if (performance.now() > deadline || this.#line.socket.destroyed) throw new Error(`no agent answers within ${within} ms`, { cause: error });
      }
    }
  }

  /** Asks an agent that has answered. @throws with the description of its error */
  async ask(execute: string, parameters: Readonly<Record<string, unknown>> = {}, within = PATIENCE): Promise<unknown> {
    this.#id += 1;
    const id = this.#id;
    this.#line.send(`${JSON.stringify({ execute, arguments: parameters, id })}\n`);
    for (;;) {
      const line = await this.#line.line(within);
      // What does not name this question answers an earlier one that was asked again: each such sentinel is an error, and
      // then there is its answer.
      if (line.startsWith('\xff')) continue;
      const answer = JSON.parse(line) as { readonly return?: unknown; readonly error?: { readonly desc: string }; readonly id?: number };
      if (answer.id !== id) continue;
      if (answer.error !== undefined) throw new Error(answer.error.desc);
      return answer.return;
    }
  }
}

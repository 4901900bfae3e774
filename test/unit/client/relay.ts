// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';

/** One request on its way to the agent, or its answer on the way back. */
export interface Passage {
  readonly command: string;
  /** How many requests of this name have come over all connections, this one included. */
  readonly nth: number;
  readonly phase: 'request' | 'answer';
}

/** What becomes of it: it is passed on; the connection breaks; nothing passes over this connection any more, and yet it is open. */
export type Fate = 'pass' | 'cut' | 'hang';

export type Judge = (passage: Passage) => Fate | Promise<Fate>;

/** Between a host and an agent: sees every request and every answer before the other side does. Answers are those of an agent that is asked one thing at a time. */
export class Relay {
  /** Names of requests in the order in which they came, those of later connections too. */
  readonly commands: string[] = [];
  judge: Judge = () => 'pass';
  readonly #open = new Set<() => void>();

  /** Every connection breaks. */
  cut(): void {
    for (const cut of this.#open) cut();
  }

  between(host: Duplex, agent: Duplex): void {
    let isOpen = true;
    const cut = (): void => {
      isOpen = false;
      this.#open.delete(cut);
      host.destroy();
      agent.destroy();
    };
    this.#open.add(cut);
    const asked: Passage[] = [];
    for (const end of [host, agent]) end.on('error', () => undefined).on('close', cut);
    const pump = (from: Duplex, to: Duplex, phase: Passage['phase']): void => {
      let text = Buffer.alloc(0);
      let work = Promise.resolve();
      from.on('data', (chunk: Buffer) => {
        text = Buffer.concat([text, chunk]);
        for (let end = text.indexOf(0x0a); end !== -1; end = text.indexOf(0x0a)) {
          const line = text.subarray(0, end + 1);
          text = text.subarray(end + 1);
          const passage = phase === 'request' ? this.#seen(line) : { ...(asked.shift() as Passage), phase };
          if (phase === 'request') asked.push(passage);
          work = work.then(async () => {
            const fate = isOpen ? await this.judge(passage) : 'hang';
            if (fate === 'cut') cut();
            else if (fate === 'hang') isOpen = false;
            else if (isOpen) to.write(line);
          });
        }
      });
    };
    pump(host, agent, 'request');
    pump(agent, host, 'answer');
  }

  #seen(line: Buffer): Passage {
    const { execute } = JSON.parse(line.toString('latin1').replace(/^[^]*\u00ff/u, '')) as { readonly execute: string };
    this.commands.push(execute);
    return { command: execute, nth: this.commands.filter((one) => one === execute).length, phase: 'request' };
  }
}

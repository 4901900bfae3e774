// SPDX-License-Identifier: Apache-2.0
import { duplexPair, type Duplex } from 'node:stream';

export interface ScriptedAgent {
  /** For `new GuestClient`. */
  readonly host: Duplex;
  /** Requests that came, one text each, without those of resynchronisation. */
  readonly requests: string[];
  /** Their arguments. */
  readonly arguments: readonly object[];
  /** Says something, asked or not. */
  say(text: string | Buffer): void;
  hangUp(): void;
  stopReading(): void;
  readOn(): void;
  /** Resolves when one more request has come. */
  nextRequest(): Promise<string>;
}

export interface ScriptedOptions {
  /** What is said to a request; nothing where it answers nothing. `id` is the text of the member to repeat. */
  readonly answer?: (name: string, id: string) => string | undefined;
  /** What stands before the answer to a resynchronisation. */
  readonly beforeSync?: (count: number) => string;
  /** False for an agent that leaves the member `id` out. */
  readonly repeatsIds?: boolean;
  /** False: it does not answer a resynchronisation. */
  readonly synchronizes?: (count: number) => boolean;
}

/** An agent that says exactly what a test wants, byte by byte. */
export function scriptedAgent({ answer, beforeSync, repeatsIds = true, synchronizes = () => true }: ScriptedOptions = {}): ScriptedAgent {
  const [host, agent] = duplexPair();
  const requests: string[] = [];
  const given: object[] = [];
  const waiting: ((request: string) => void)[] = [];
  let text = '';
  let syncs = 0;
  const say = (bytes: string | Buffer): void => void agent.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);

  agent.on('data', (chunk: Buffer) => {
    // A sentinel voids what came before it.
    text = (text + chunk.toString('latin1')).replace(/^[^]*\u00ff/u, '');
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const request = JSON.parse(line) as { execute: string; arguments: { id?: number }; id: number };
      const id = repeatsIds ? `, "id": ${request.id}` : '';
      if (request.execute === 'guest-sync-delimited') {
        syncs += 1;
        if (synchronizes(syncs)) say(`${beforeSync?.(syncs) ?? ''}\u00ff{"return": ${request.arguments.id}${id}}\n`);
        continue;
      }
      requests.push(request.execute);
      given.push(request.arguments);
      waiting.shift()?.(request.execute);
      const said = answer?.(request.execute, id);
      if (said !== undefined) say(said);
    }
  });
  return {
    host,
    requests,
    arguments: given,
    say,
    hangUp: () => {
      agent.destroy();
      host.destroy();
    },
    stopReading: () => void agent.pause(),
    readOn: () => void agent.resume(),
    nextRequest: () => new Promise((resolve) => void waiting.push(resolve)),
  };
}

export const returns = (value: string) => (_name: string, id: string): string => `{"return": ${value}${id}}\n`;

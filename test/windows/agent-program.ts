// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The agent as it is shipped, and as run.sh builds it. */
export const agentProgram = fileURLToPath(new URL('../../dist/concierge-ga.cjs', import.meta.url));

export type Answer = Record<string, unknown>;

export interface RunningAgent {
  ask(request: object): Promise<Answer>;
  /** What a command answers. Fails where it is an error. */
  answerOf<T>(execute: string, args?: object): Promise<T>;
  /** The sentence of a command's error. Fails where there is none. */
  refusalOf(execute: string, args?: object): Promise<string>;
  /** Takes the channel away and answers with which status the agent ended. */
  stop(): Promise<number | null>;
}

/** Starts the agent as a program, with a named pipe in place of the port. */
export async function startAgent(...options: readonly string[]): Promise<RunningAgent> {
  const path = `\\\\.\\pipe\\concierge-agent-${process.pid}-${Date.now()}`;
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const statedir = mkdtempSync(join(tmpdir(), 'concierge-state-'));
  const words = ['--disable-warning=ExperimentalWarning', agentProgram, '--method=virtio-serial', `--path=${path}`, `--statedir=${statedir}`, ...options];
  const agent = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  agent.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  const ended = once(agent, 'exit') as Promise<[number | null]>;
  const socket = await Promise.race([
    once(server, 'connection').then(([one]) => one as Socket),
    ended.then(() => assert.fail(`the agent ended: ${errors}`)),
  ]);
  socket.on('error', () => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const ask = async (request: object): Promise<Answer> => {
    socket.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await lines.next();
    if (done === true) assert.fail(`the agent hung up: ${errors}`);
    return JSON.parse(value) as Answer;
  };
  return {
    ask,
    async answerOf<T>(execute: string, args: object = {}) {
      const answer = await ask({ execute, arguments: args });
      if (!('return' in answer)) assert.fail(`${execute}: ${JSON.stringify(answer)}`);
      return answer['return'] as T;
    },
    async refusalOf(execute, args = {}) {
      const answer = await ask({ execute, arguments: args });
      const error = answer['error'] as { readonly desc: string } | undefined;
      return error?.desc ?? assert.fail(`${execute}: ${JSON.stringify(answer)}`);
    },
    async stop() {
      socket.destroy();
      server.close();
      const [status] = await ended;
      return status;
    },
  };
}

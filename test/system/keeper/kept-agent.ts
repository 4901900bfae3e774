// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { AgentProcess, program, type AgentSetup } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { keeperPath } from './keeper-lab.ts';

const started: AgentProcess[] = [];

/** Ends every agent that was started here. */
export async function endAll(): Promise<void> {
  for (const agent of started.splice(0)) if (agent.running) await agent.stop();
}

/** An agent under a keeper: `pid` is the keeper's. It sleeps after a second. */
export async function keptAgent(setup: AgentSetup = {}): Promise<AgentProcess> {
  const agent = new AgentProcess({ command: [keeperPath, '--', program], ...setup, words: ['--verbose', '--sleep-after=1', ...(setup.words ?? [])] });
  started.push(agent);
  if (setup.allWords === undefined) (await agent.connect()).close();
  await until(() => agent.stderr.includes('serving'));
  return agent;
}

/** The agent of now; `undefined` while it sleeps. */
export function agentOf(keeper: AgentProcess): number | undefined {
  // What an agent has left running is the keeper's child too.
  const children = readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, 'latin1').trim().split(' ');
  return children.map(Number).find((pid) => pid > 0 && isAgent(pid));
}

function isAgent(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('concierge-ga\0');
  } catch {
    return false;
  }
}

export const asleep = (keeper: AgentProcess): Promise<void> => until(() => agentOf(keeper) === undefined);

export const starts = (keeper: AgentProcess): number => keeper.stderr.split(') started').length - 1;

let id = 0;

/** Asks, and answers what comes next: the answer, and nothing else. */
export async function ask(host: LineClient, execute: string, args?: object): Promise<unknown> {
  id += 1;
  host.send(`${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }), id })}\n`);
  const answer = JSON.parse((await host.line())?.toString() ?? 'null') as { return?: unknown; error?: unknown; id: number };
  expect(answer.id).toBe(id);
  return answer.return ?? answer.error;
}

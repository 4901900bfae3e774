// SPDX-License-Identifier: Apache-2.0
/** `node test/differential/run.ts [--cases=2000000] [--seed=N] [--reference=11.1]`: the generated comparison for as long as one likes. */
import { parseArgs } from 'node:util';
import { allReleases, isRelease, referenceCommand } from '../../bench/lib/references.ts';
import { AgentProcess } from '../wire/lib/agent-process.ts';
import { compare, type Peer } from './comparison.ts';
import { blockList, ownCommand } from './agents.ts';

const { values } = parseArgs({ options: { cases: { type: 'string', default: '20000' }, seed: { type: 'string' }, reference: { type: 'string', multiple: true } } });
const seed = Number(values.seed ?? Date.now() % 0x7fffffff);
const releases = (values.reference ?? allReleases).filter(isRelease);
console.log(`seed ${seed}, ${values.cases} cases, beside qemu-ga ${releases.join(', ')}`);

const agents: AgentProcess[] = [];
const start = async (command: readonly string[]): Promise<AgentProcess> => {
  const agent = await AgentProcess.start({ command, words: blockList });
  agents.push(agent);
  return agent;
};
try {
  const ours = await (await start(ownCommand)).connect();
  const peers: Peer[] = [];
  for (const name of releases) peers.push({ name, client: await (await start(referenceCommand(name))).connect(), isNewest: name === '11.1' });
  const { cases, rows, deviation } = await compare(ours, peers, seed, Number(values.cases));
  console.log(`${cases} cases; rows of docs/differences.md that were needed: ${JSON.stringify(Object.fromEntries(rows))}`);
  if (deviation !== undefined) {
    console.log(JSON.stringify(deviation, null, 2));
    process.exitCode = 1;
  }
} finally {
  for (const agent of agents) await agent.stop();
}

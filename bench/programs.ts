// SPDX-License-Identifier: Apache-2.0
/** Programs that are conversed with: the echo of a key beside a ping, and 1 GiB of output beside reading a file. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

import { AgentProcess } from '../test/wire/lib/agent-process.ts';

const MiB = 1024 * 1024;
const rounds = 6000;
const start = '__org.concierge_exec-start';
const exchange = '__org.concierge_exec-exchange';

const agent = await AgentProcess.start();
const socket = connect(agent.socket);
let pieces: Buffer[] = [];
let answered = (_line: Buffer): void => undefined;
socket.on('data', (piece: Buffer) => {
  pieces.push(piece);
  if (piece.at(-1) !== 0x0a) return;
  const line = Buffer.concat(pieces);
  pieces = [];
  answered(line);
});
const ask = (execute: string, args: object = {}): Promise<Buffer> => new Promise((resolve) => {
  answered = resolve;
  socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
});
const returned = async <T>(execute: string, args: object = {}): Promise<T> => (JSON.parse(String(await ask(execute, args))) as { return: T }).return;

/** Length of a base64 member that need not be parsed. */
function lengthOf(line: Buffer, member: string): number {
  const at = line.indexOf(`"${member}": "`);
  if (at < 0) return 0;
  const from = at + member.length + 5;
  const to = line.indexOf('"', from);
  return ((to - from) / 4) * 3 - (line[to - 1] === 0x3d ? 1 : 0) - (line[to - 2] === 0x3d ? 1 : 0);
}

const raw = { path: '/bin/sh', arg: ['-c', 'stty raw -echo; echo ready; exec cat'], terminal: { rows: 24, columns: 80 } };
const { program } = await returned<{ program: number }>(start, raw);
let offset = lengthOf(await ask(exchange, { program, 'wait-ms': 5000 }), 'output');
const [pings, keys]: [number[], number[]] = [[], []];
for (let round = 0; round < rounds; round += 1) {
  let from = performance.now();
  await ask('guest-ping');
  pings.push(performance.now() - from);
  from = performance.now();
  const line = await ask(exchange, { program, input: 'eA==', 'input-offset': round, 'output-offset': offset, 'wait-ms': 5000 });
  keys.push(performance.now() - from);
  offset += lengthOf(line, 'output');
}
const at = (times: readonly number[], part: number): string => `${((times.slice(1000).toSorted((one, other) => one - other)[Math.floor((times.length - 1000) * part)] ?? 0) * 1000).toFixed(0)} us`;
for (const [name, times] of [['guest-ping', pings], ['a key, echoed by a program on a terminal', keys]] as const) {
  console.log(`${name}: median ${at(times, 0.5)}, 99 % ${at(times, 0.99)}, least ${at(times, 0)}`);
}

const resident = (): number => Number(/^VmRSS:\s+(\d+)/mu.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1]) >> 10;
for (let round = 0; round < 3; round += 1) {
  const handle = await returned<number>('guest-file-open', { path: '/dev/zero' });
  let from = performance.now();
  for (let count = 0; count < 1024; count += 1) await ask('guest-file-read', { handle, count: MiB });
  const reading = 1024 / ((performance.now() - from) / 1000);
  await ask('guest-file-close', { handle });
  const { program: head } = await returned<{ program: number }>(start, { path: 'head', arg: ['-c', `${1024 * MiB}`, '/dev/zero'] });
  from = performance.now();
  let [seen, answers, peak] = [0, 0, 0];
  for (;;) {
    const line = await ask(exchange, { program: head, 'output-offset': seen, size: MiB, 'wait-ms': 1000 });
    seen += lengthOf(line, 'output');
    answers += 1;
    if (answers % 100 === 0) peak = Math.max(peak, resident());
    if (line.includes('"output-ended": true')) break;
  }
  const conversing = seen / MiB / ((performance.now() - from) / 1000);
  console.log(`guest-file-read ${reading.toFixed(0)} MiB/s; 1 GiB of output ${conversing.toFixed(0)} MiB/s (${(conversing / reading).toFixed(2)}x) in ${answers} answers, agent at ${peak} MiB`);
}
socket.destroy();
await agent.stop();

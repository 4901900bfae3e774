// SPDX-License-Identifier: Apache-2.0
/** Programs through the client, as its users have them: the echo of a key beside a ping, and 1 GiB of output beside reading a file. */
import { once } from 'node:events';

import { connectUnix, GuestClient } from '../client/index.ts';
import { GuestFile } from '../client/guest-file.ts';
import { spawn, terminal } from '../client/spawn.ts';
import { AgentProcess } from '../test/wire/lib/agent-process.ts';

const MiB = 1024 * 1024;
const LENGTH = Number(process.argv[2] ?? 1024) * MiB;
const ROUNDS = 4000;
const WARM = 1000;

const agent = await AgentProcess.start();
const guest = new GuestClient(await connectUnix(agent.socket));
const other = new GuestClient(await connectUnix(agent.socket));

const at = (times: readonly number[], part: number): number => (times.slice(WARM).toSorted((one, two) => one - two)[Math.floor((times.length - WARM) * part)] ?? 0) * 1000;
const cat = terminal(guest, '/bin/sh', ['-c', 'stty raw -echo; echo ready; exec cat'], { rows: 24, columns: 80 });
await once(cat.stdout ?? process.stdin, 'data');
const [pings, keys]: [number[], number[]] = [[], []];
for (let round = 0; round < ROUNDS; round += 1) {
  let from = performance.now();
  await other.execute('guest-ping');
  pings.push(performance.now() - from);
  from = performance.now();
  cat.stdin?.write('x');
  await new Promise((resolve) => void cat.stdout?.once('data', resolve));
  keys.push(performance.now() - from);
}
cat.kill('SIGKILL');
await once(cat, 'close');
for (const [name, part] of [['least', 0], ['median', 0.5], ['99 %', 0.99]] as const) {
  const [ping, key] = [at(pings, part), at(keys, part)];
  console.log(`${name}: a ping ${ping.toFixed(0)} us, the echo of a key ${key.toFixed(0)} us (${(key / ping).toFixed(2)}x)`);
}

for (let round = 0; round < 3; round += 1) {
  const file = await GuestFile.open(guest, '/dev/zero', 'r', {});
  let from = performance.now();
  for (let read = 0; read < LENGTH;) {
    const piece = await file.read(MiB, {});
    read += piece.length;
    piece.release();
  }
  const reading = LENGTH / MiB / ((performance.now() - from) / 1000);
  await file.close({});
  from = performance.now();
  const program = spawn(guest, 'dd', ['if=/dev/zero', 'bs=1M', `count=${LENGTH / MiB}`, 'status=none'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let seen = 0;
  let peak = 0;
  program.stdout?.on('data', (piece: Buffer) => {
    seen += piece.length;
    peak = Math.max(peak, process.memoryUsage.rss());
  });
  await once(program, 'close');
  if (seen !== LENGTH) throw new Error(`${seen} bytes came`);
  const conversing = LENGTH / MiB / ((performance.now() - from) / 1000);
  console.log(`reading a file ${reading.toFixed(0)} MiB/s, output of a program ${conversing.toFixed(0)} MiB/s (${(conversing / reading).toFixed(2)}x), this process at ${(peak / MiB).toFixed(0)} MiB`);
}
guest.close();
other.close();
await agent.stop();

// SPDX-License-Identifier: Apache-2.0
/**
 * An agent of two lives, to be started by a keeper. The first starts a program and dies. The second takes it over, the program
 * ends, and somebody else has its number by then, before the keeper's word of that has been read. Prints what became of that
 * somebody when the program was killed: `lives` or `killed`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { KeeperSide } from '../../../adapters/linux/keeper/keeper-side.ts';
import { linuxProcesses } from '../../../adapters/linux/programs/processes.ts';
import type { KeptDescriptors, KeptPrograms } from '../../../core/ports/keeper.ts';

const keeper = new KeeperSide(Number(process.env['CONCIERGE_GA_KEEPER']), 'test', () => undefined);

const stateOf = (pid: number): string => {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? '';
  } catch {
    return '';
  }
};

if (keeper.reason === 'start') {
  await linuxProcesses(keeper).spawn({ path: '/bin/sleep', arguments: ['600'], output: 'discard', errors: 'discard', outlives: true });
  process.kill(process.pid, 'SIGKILL');
}

const [program] = keeper.programs.left();
if (program === undefined) throw new Error('the program is not known');
const somebody = spawn('/bin/sleep', ['600'], { detached: true, stdio: 'ignore' });
await once(somebody, 'spawn');
const pid = somebody.pid as number;
const programs: KeptPrograms = { ...keeper.programs, left: () => [{ ...program, pid }], onEnded: () => undefined };
const kept: KeptDescriptors = {
  programs,
  isEnding: false,
  take: (name, note) => keeper.take(name, note),
  takeAll: (prefix) => keeper.takeAll(prefix),
  input: (name) => keeper.input(name),
  keep: (name, kind, note, fd) => keeper.keep(name, kind, note, fd),
  drop: (name) => keeper.drop(name),
};
const [running] = linuxProcesses(kept).left?.() ?? [];
if (running === undefined) throw new Error('the program was not taken over');
running.onOutput(() => undefined);
process.kill(program.pid, 'SIGKILL');
while (stateOf(program.pid) !== '') await wait(5);

running.kill();

await wait(50);
console.log(['', 'Z'].includes(stateOf(pid)) ? 'killed' : 'lives');
somebody.kill('SIGKILL');
keeper.end();
process.exit(0);

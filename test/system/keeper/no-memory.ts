// SPDX-License-Identifier: Apache-2.0
/**
 * What a keeper's agent answers, awake and asleep, in a control group that something else has filled. Prints one JSON object:
 * the milliseconds of each answer. Only behind `enter.sh`, in a process namespace of its own, for the agent is asked to shut
 * the machine down.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { ControlGroup } from '../exhaustion/cgroup.ts';
import { onlyKernelFileSystems } from '../lib/only-kernel.ts';
import { LineClient } from '../../wire/lib/line-client.ts';

const place = '/tmp/no-memory';
const project = resolve(import.meta.dirname, '../../..');

if (process.pid > 50) throw new Error('this is no process namespace of its own');
onlyKernelFileSystems();
execFileSync('mount', ['-o', 'remount,bind,ro', '/sys']);
mkdirSync(place);
execFileSync('truncate', ['-s', '16M', `${place}/image`]);
execFileSync('mkfs.ext4', ['-q', `${place}/image`]);
mkdirSync(`${place}/disk`);
execFileSync('mount', ['-o', 'loop', `${place}/image`, `${place}/disk`]);

const group = ControlGroup.make('memory');
const pause = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));

async function until<T>(attempt: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let tries = 0; tries < 3000; tries += 1) {
    const result = await attempt();
    if (result !== undefined) return result;
    await pause(10);
  }
  throw new Error(`${attempt.toString()} did not come true`);
}

interface Served {
  readonly child: ChildProcess;
  readonly host: LineClient;
}

/** In the group, and without the right to reboot, whatever else fails. */
async function start(words: readonly string[]): Promise<Served> {
  const socket = `${place}/socket`;
  rmSync(socket, { force: true });
  const child = spawn('/bin/sh', ['-c', `echo $$ >${group.members}; exec setpriv --bounding-set=-sys_boot,-sys_time "$@"`, 'sh', ...words, '-m', 'unix-listen', '-p', socket, '-t', place], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { child, host: await until(() => LineClient.open(socket).catch(() => undefined)) };
}

/** Fills the group and holds what it has, until the kernel ends it or its input does. */
const hog = `
import os, sys
open(sys.argv[1], "w").write(str(os.getpid()))
held = [bytearray(b"x" * (128 << 20))]
print("held", flush=True)
sys.stdin.read()
`;

/** How long the answer takes, in milliseconds. */
async function timed(host: LineClient, execute: string, args: object = {}): Promise<number> {
  const began = performance.now();
  host.send(`${JSON.stringify({ execute, arguments: args })}\n`);
  // Its success is silent, and it does not succeed here: nobody to shut anything down.
  if (execute === 'guest-shutdown') host.send('{"execute":"guest-sync","arguments":{"id":1}}\n');
  const line = await host.line();
  if (line === undefined) throw new Error('the connection was closed');
  const isError = line.includes('"error"');
  if (isError && execute !== 'guest-shutdown') throw new Error(`${execute}: ${String(line)}`);
  if (isError) await host.line();
  return Math.round(performance.now() - began);
}

const requests = {
  ping: [['guest-ping', {}]],
  freeze: [['guest-fsfreeze-freeze-list', { mountpoints: [`${place}/disk`] }], ['guest-fsfreeze-thaw', {}]],
  shutdown: [['guest-shutdown', {}]],
} as const;

/** What has been filled for it is only let go of when the kernel ends who fills it. */
async function withoutMemory(work: () => Promise<void>): Promise<void> {
  const eater = spawn('python3', ['-c', hog, group.members], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise((done) => eater.once('exit', done));
  await new Promise((done) => eater.stdout.once('data', done));
  group.leave(0);
  try {
    await work();
  } finally {
    group.relieve();
    eater.kill('SIGKILL');
    await ended;
  }
}

const keeper = [`${project}/build/Release/concierge-keeper`, '--', `${project}/bin/concierge-ga`, '--hook-directory='];
const states: Readonly<Record<string, readonly string[]>> = {
  awake: [...keeper, '--sleep-after=0'],
  asleep: [...keeper, '--sleep-after=1'],
  // One to be compared with, for a person.
  ...(process.env['QEMU_GA'] === undefined ? {} : { other: [process.env['QEMU_GA']] }),
};

const figures: Record<string, Record<string, number>> = {};
for (const [state, words] of Object.entries(states)) {
  const { child, host } = await start(words);
  const answers: Record<string, number> = {};
  for (const each of Object.values(requests)) {
    await timed(host, 'guest-ping');
    if (state === 'asleep') await until(() => (readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1') === '' ? true : undefined));
    await withoutMemory(async () => {
      for (const [execute, args] of each) answers[execute] = await timed(host, execute, args);
    });
  }
  host.close();
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
  figures[state] = answers;
}
execFileSync('umount', [`${place}/disk`]);
group.remove();
console.log(JSON.stringify(figures));

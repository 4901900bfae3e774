// SPDX-License-Identifier: Apache-2.0
/**
 * `run.ts WAY`: a fresh agent for each command, which is asked when the machine has just run out. Prints one JSON object,
 * what became of each. Only behind `enter.sh`, in a process namespace of its own: nothing of the machine may be in sight,
 * for the agent is asked to shut it down.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { onlyKernelFileSystems } from '../lib/only-kernel.ts';
import { LineClient } from '../../wire/lib/line-client.ts';
import { ControlGroup } from './cgroup.ts';
import { place, requests, type Request } from './requests.ts';

/** What is left of memory and of address space: Node ends the process where V8 gets none at all, and a helper program needs its own. */
const spare = 32 * 1024 * 1024;
const [way = ''] = process.argv.slice(2);
const project = resolve(import.meta.dirname, '../../..');

if (process.pid > 50) throw new Error('this is no process namespace of its own');
onlyKernelFileSystems();
// What belongs to the whole machine can be read and not be written.
execFileSync('mount', ['-o', 'remount,bind,ro', '/sys']);
mkdirSync(place);
const image = `${place}/disk.img`;
execFileSync('truncate', ['-s', '16M', image]);
execFileSync('mkfs.ext4', ['-q', image]);
mkdirSync(`${place}/disk`);
execFileSync('mount', ['-o', 'loop', image, `${place}/disk`]);

interface Scarcity {
  /** Joined by the agent before it starts. */
  readonly group?: ControlGroup;
  begin(pid: number): void;
  end(pid: number): void;
}

const limit = (pid: number, option: string, value: string): void => void execFileSync('prlimit', [`--pid=${pid}`, `--${option}=${value}`]);

function scarcity(): Scarcity {
  switch (way) {
    case 'pids': {
      const group = ControlGroup.make('pids');
      return { group, begin: () => group.leave(0), end: () => group.relieve() };
    }
    case 'memory': {
      const group = ControlGroup.make('memory');
      return { group, begin: () => group.leave(spare), end: () => group.relieve() };
    }
    case 'descriptors':
      return {
        // The next number that is free is the first that it may not have: none below it is.
        begin: (pid) => limit(pid, 'nofile', `${firstFree(pid)}:`),
        end: (pid) => limit(pid, 'nofile', '4096:'),
      };
    case 'address-space': {
      return {
        begin: (pid) => {
          // An agent that grows meanwhile, by the arena of a thread, would be above its limit at once: V8 could not even give back.
          for (let [size, before] = [virtualSize(pid), 0]; size !== before; [size, before] = [virtualSize(pid), size]) limit(pid, 'as', `${size + spare}:`);
        },
        end: (pid) => limit(pid, 'as', 'unlimited:'),
      };
    }
    default:
      throw new Error(`no way '${way}'`);
  }
}

/** In bytes. */
const virtualSize = (pid: number): number => Number(/^VmSize:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

function firstFree(pid: number): number {
  const taken = new Set(readdirSync(`/proc/${pid}/fd`));
  for (let number = 0; ; number += 1) if (!taken.has(String(number))) return number;
}

interface Agent {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly host: LineClient;
}

async function start(group: ControlGroup | undefined): Promise<Agent> {
  const socket = `${place}/socket`;
  rmSync(socket, { force: true });
  const join = group === undefined ? '' : `echo $$ >${group.members}; `;
  // Neither rebooting nor setting the clock is in its power, whatever else fails.
  const words = ['exec', 'setpriv', '--bounding-set=-sys_boot,-sys_time', `${project}/bin/concierge-ga`, '-m', 'unix-listen', '-p', socket, '-t', place];
  const child = spawn('/bin/sh', ['-c', `${join}${words.join(' ')}`], { stdio: 'ignore' });
  for (let tries = 0; ; tries += 1) {
    try {
      return { process: child, pid: child.pid ?? 0, host: await LineClient.open(socket) };
    } catch (error) {
      if (child.exitCode !== null || tries > 3000) throw new Error(`the agent has ended with ${child.exitCode ?? child.signalCode}`, { cause: error });
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

async function ask(host: LineClient, execute: string, args?: object): Promise<unknown> {
  host.send(`${JSON.stringify({ execute, ...(args !== undefined && { arguments: args }) })}\n`);
  const line = await host.line();
  if (line === undefined) throw new Error('the connection was closed');
  return JSON.parse(line.toString('latin1').replace('\xff', '')) as unknown;
}

/** Whatever may be answered, and then that the next one is. A silent success is the answer to the ping alone. */
async function answers(host: LineClient, name: string, args: object | undefined, silent: boolean): Promise<string> {
  host.send(`${JSON.stringify({ execute: name, ...(args !== undefined && { arguments: args }) })}\n`);
  if (!silent) {
    const line = await host.line();
    if (line === undefined) return 'the connection was closed';
    const answer = JSON.parse(line.toString('latin1').replace('\xff', '')) as { return?: unknown; error?: { desc: string } };
    if (answer.error === undefined && !('return' in answer)) return `malformed: ${line.toString('latin1')}`;
    const pong = await ask(host, 'guest-sync', { id: 7 });
    return JSON.stringify(pong) === '{"return":7}' ? (answer.error?.desc ?? 'done') : `then: ${JSON.stringify(pong)}`;
  }
  host.send('{"execute":"guest-sync","arguments":{"id":7}}\n');
  const line = JSON.parse(String(await host.line())) as { return?: unknown; error?: { desc: string } };
  if (line.return === 7) return 'done';
  const next = JSON.parse(String(await host.line())) as { return?: unknown };
  return next.return === 7 ? (line.error?.desc ?? '') : `then: ${JSON.stringify(next)}`;
}

const isFrozen = (): boolean => spawnFails('timeout', ['30', 'sh', '-c', `echo x >${place}/disk/probe`]);
function spawnFails(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

const outcomes: Record<string, { readonly said: string; readonly afterwards: string }> = {};
const scarce = scarcity();
for (const [name, request] of Object.entries<Request>(requests)) {
  const agent = await start(scarce.group);
  const { host, pid, process: child } = agent;
  let said: string;
  let afterwards = 'well';
  try {
    await ask(host, 'guest-ping');
    let args = request.arguments;
    if (request.first !== undefined) {
      const { return: value } = (await ask(host, request.first.execute, request.first.arguments)) as { return: number | { pid: number; program?: number } };
      const known = typeof value === 'number' ? value : value.program ?? value.pid;
      args = JSON.parse(JSON.stringify(args).replace('"ANSWER"', String(known))) as object;
    }
    scarce.begin(pid);
    try {
      said = await answers(host, name, args, request.silent === true);
    } finally {
      scarce.end(pid);
    }
    await ask(host, 'guest-fsfreeze-thaw');
    const status = (await ask(host, 'guest-fsfreeze-status')) as { return?: string };
    const opened = (await ask(host, 'guest-file-open', { path: `${place}/after`, mode: 'w' })) as { return?: number };
    const ran = (await ask(host, 'guest-exec', { path: 'true' })) as { return?: object };
    if (status.return !== 'thawed' || opened.return === undefined || ran.return === undefined) afterwards = JSON.stringify([status, opened, ran]);
    else if (isFrozen()) afterwards = 'frozen';
  } catch (error) {
    said = String(error);
  }
  const ended = new Promise((done) => child.once('exit', done));
  host.close();
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await ended;
  }
  if (child.exitCode !== 0) afterwards = `ended with ${child.exitCode ?? child.signalCode}`;
  outcomes[name] = { said, afterwards };
}
execFileSync('umount', [`${place}/disk`]);
scarce.group?.remove();
console.log(JSON.stringify(outcomes));

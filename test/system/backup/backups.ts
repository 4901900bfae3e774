// SPDX-License-Identifier: Apache-2.0
/**
 * The backup script of the examples, run as its users run it, on real agents that freeze real file systems: behind
 * `enter.sh`, where nothing of the machine can be reached. Prints what happened as JSON. The argument: `concierge-ga`,
 * or the words of another agent's command.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { AgentProcess } from '../../wire/lib/agent-process.ts';
import { repository } from '../../wire/lib/build.ts';
import { onlyKernelFileSystems } from '../lib/only-kernel.ts';

onlyKernelFileSystems();

const command = process.argv.slice(2);
const isOurs = command[0] === 'concierge-ga';
const lab = '/mnt/q';
const images = '/mnt/images';
const directory = '/run/lab';
const hooks = '/run/hooks';
for (const path of [lab, images, directory, hooks]) mkdirSync(path);

const mounted: string[] = [];

function fileSystem(type: string, name: string, megabytes: number): void {
  const [image, mountPoint] = [join(images, `${name}.img`), join(lab, name)];
  writeFileSync(image, '');
  truncateSync(image, megabytes * 1024 * 1024);
  execFileSync(`mkfs.${type}`, ['-q', image]);
  mkdirSync(mountPoint);
  execFileSync('mount', ['-o', 'loop', image, mountPoint]);
  mounted.push(mountPoint);
}

fileSystem('ext4', 'disk', 32);
fileSystem('xfs', 'data', 320);

/** What is frozen, asked by freezing. */
const frozen = (): string[] =>
  mounted.filter((mountPoint) => {
    const isFree = spawnSync('fsfreeze', ['--freeze', mountPoint], { stdio: 'ignore' }).status === 0;
    if (isFree) execFileSync('fsfreeze', ['--unfreeze', mountPoint]);
    return !isFree;
  });

const thawAll = (): void => mounted.forEach((mountPoint) => void spawnSync('fsfreeze', ['--unfreeze', mountPoint], { stdio: 'ignore' }));

/** A write waits as long as a file system is frozen. */
const written = (mountPoint: string): void => void execFileSync('sh', ['-c', 'echo x > "$0"', join(mountPoint, 'written')]);

const start = (...words: string[]): Promise<AgentProcess> =>
  AgentProcess.start({ directory, ...(isOurs ? { words: [`--hook-directory=${hooks}`, ...words] } : { command }) });

interface Told {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the example. @param copy a shell command that makes the copy */
function backup(agent: AgentProcess, copy: string, environment: Readonly<Record<string, string>> = {}): Promise<Told> {
  return new Promise((resolve) => {
    const script = spawn(process.execPath, ['--import', join(import.meta.dirname, 'sources.mjs'), join(repository, 'examples/backup.mjs'), agent.socket, 'sh', '-c', copy], {
      env: { ...process.env, BACKUP_FREEZE_SECONDS: '20', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    script.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    script.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    script.once('close', (status) => resolve({ status, out, err }));
  });
}

/** Whether an image of ext4 has a journal that has to be replayed: that of a mounted one has, unless it is frozen. */
const needsRecovery = (image: string): boolean => execFileSync('dumpe2fs', ['-h', image], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).includes('needs_recovery');

const image = join(images, 'disk.img');
const copyImage = `cp ${image} /run/copy.img`;

async function consistent(): Promise<unknown> {
  const agent = await start();
  const writer = spawn('sh', ['-c', 'while :; do echo line >> "$0"; done', join(lab, 'disk/log')], { stdio: 'ignore' });
  try {
    const told = await backup(agent, copyImage);
    const copied = { needsRecovery: needsRecovery('/run/copy.img'), check: spawnSync('e2fsck', ['-fn', '/run/copy.img']).status };
    return { ...told, copied, live: needsRecovery(image), frozen: frozen() };
  } finally {
    writer.kill();
    await agent.stop();
    rmSync('/run/copy.img', { force: true });
  }
}

async function failing(): Promise<unknown> {
  const agent = await start();
  const told = await backup(agent, 'exit 3');
  const left = frozen();
  await agent.stop();
  return { ...told, err: told.err.split('\n', 1)[0], frozen: left };
}

async function thawedBySomebodyElse(): Promise<unknown> {
  const agent = await start();
  const told = await backup(agent, mounted.map((mountPoint) => `fsfreeze --unfreeze ${mountPoint}`).join('; '));
  const left = frozen();
  await agent.stop();
  return { ...told, frozen: left };
}

async function killed(): Promise<unknown> {
  const agent = await start();
  const told = await backup(agent, `kill -KILL ${agent.pid}`);
  await agent.end();
  const held = frozen();
  // What comes after it takes the freeze over, and its end thaws.
  if (isOurs) await (await start()).stop();
  else thawAll();
  return { ...told, held, frozen: frozen() };
}

async function vetoed(): Promise<unknown> {
  const hook = join(hooks, '10-database');
  writeFileSync(hook, '#!/bin/sh\necho "the database is busy" >&2\n[ "$1" != freeze ]\n');
  chmodSync(hook, 0o755);
  const agent = await start();
  const told = await backup(agent, 'touch /run/copied');
  const left = frozen();
  await agent.stop();
  rmSync(hook);
  return { ...told, copied: existsSync('/run/copied'), frozen: left };
}

async function tooLong(): Promise<unknown> {
  const agent = await start('--freeze-timeout=2');
  // The copy is done when the guest writes again: it takes exactly as long as the agent lets it.
  const told = await backup(agent, `echo x > ${join(lab, 'disk/copy')}`);
  const left = frozen();
  await agent.stop();
  return { ...told, frozen: left };
}

async function killedAndBack(): Promise<unknown> {
  const agent = await start();
  const words = ['-m', 'unix-listen', '-p', agent.socket, '-t', directory, `--hook-directory=${hooks}`];
  const pidFile = '/run/second.pid';
  // A service manager would start it again.
  const told = await backup(agent, `kill -KILL ${agent.pid}; ${join(repository, 'bin/concierge-ga')} -d -f ${pidFile} ${words.join(' ')}`);
  await agent.end();
  const left = frozen();
  process.kill(Number(readFileSync(pidFile, 'utf8')));
  return { ...told, frozen: left };
}

const own = { vetoed, tooLong, killedAndBack };
const results: Record<string, unknown> = {};
try {
  for (const [name, run] of Object.entries({ consistent, failing, thawedBySomebodyElse, killed, ...(isOurs ? own : {}) })) {
    results[name] = await run();
    mounted.forEach(written);
  }
} finally {
  thawAll();
}
process.stdout.write(JSON.stringify(results));

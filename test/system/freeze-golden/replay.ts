// SPDX-License-Identifier: Apache-2.0
/** Makes the recorded freezes again, behind `enter.sh`; prints the lines of each record as JSON. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGolden } from '../../wire/golden.ts';
import { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { until } from '../../wire/lib/until.ts';
import { onlyKernelFileSystems } from '../lib/only-kernel.ts';

onlyKernelFileSystems();

const q = '/mnt/q';
const images = '/mnt/images';
const at = (name: string): string => join(q, name);
const image = (name: string): string => join(images, name);

const mount = (...words: string[]): void => void execFileSync('mount', words);
const unmount = (name: string): void => void execFileSync('umount', [at(name)]);

/** Mounts an image on a directory of the lab; in the kernel's memory alone. */
function fileSystem(type: string, name: string, megabytes: number, ...words: string[]): void {
  const file = image(name.replace(' ', '-'));
  writeFileSync(file, '');
  truncateSync(file, megabytes * 1024 * 1024);
  execFileSync(`mkfs.${type}`, ['-q', ...words, file], { stdio: ['ignore', 'ignore', 'inherit'] });
  mkdirSync(at(name), { recursive: true });
  mount('-o', 'loop', file, at(name));
}

mkdirSync(images);
mkdirSync(q);
fileSystem('btrfs', 'btrfs', 160);
fileSystem('ext4', 'ext4', 64);
fileSystem('ext4', 'with space', 30);
fileSystem('xfs', 'xfs', 320);

const directory = '/run/lab';
mkdirSync(directory);
const isFrozen = (path: string): boolean => spawnSync('fsfreeze', ['--unfreeze', path], { stdio: 'ignore' }).status === 0;
const freezeOutside = (name: string): void => void execFileSync('fsfreeze', ['--freeze', at(name)]);
const yes = (value: boolean): string => (value ? 'True' : 'False');

let agent!: AgentProcess;
let client!: LineClient;

async function start(...words: string[]): Promise<void> {
  agent = await AgentProcess.start({ directory, words: ['--hook-directory=', ...words] });
  client = await agent.connect();
}

async function end(signal: NodeJS.Signals): Promise<string> {
  agent.signal(signal);
  client.close();
  const { code } = await agent.end();
  return `exit ${code ?? 'None'}`;
}

const hook = '/run/lab/hook';
const hookLog = '/run/lab/hook.log';

async function thaw(): Promise<void> {
  await client.call('guest-fsfreeze-thaw');
}

/** What was done to the machine before a record. */
const before: Readonly<Record<string, () => Promise<void> | void>> = {
  'freeze-list of a fs already frozen by fsfreeze(8)': () => freezeOutside('ext4'),
  'outside thaw: status': () => void isFrozen(at('ext4')),
  'freeze-list by the second mount point of a device': () => {
    mkdirSync(at('bind'));
    mount('--bind', at('ext4'), at('bind'));
  },
  // Ours froze something where qemu-ga did not.
  'freeze-list by both': thaw,
  'fsinfo with a hidden mount point': thaw,
  'freeze-list with an over-mounted mount point': () => {
    unmount('bind');
    mount('-t', 'tmpfs', 'cover', at('with space'));
  },
  'freeze all with a hidden mount point': () => {
    unmount('with space');
    mkdirSync(at('p/in'), { recursive: true });
    mount('--move', at('ext4'), at('p/in'));
    mount('-t', 'tmpfs', 'cover', at('p'));
  },
  'freeze-list of a read-only fs': () => {
    unmount('p');
    mount('--move', at('p/in'), at('ext4'));
    mount('-o', 'remount,ro', at('ext4'));
  },
  'freeze-list before disconnect': () => mount('-o', 'remount,rw', at('ext4')),
  'after reconnect: status': async () => {
    client.close();
    client = await agent.connect();
  },
  'thaw at the end': async () => {
    if (!agent.running) await start();
  },
  'killed while frozen, restarted: status': async () => {
    await client.call('guest-fsfreeze-freeze-list', { mountpoints: [at('ext4')] });
    await end('SIGKILL');
    await start();
  },
  'hook: freeze-list': async () => {
    await end('SIGTERM');
    writeFileSync(hook, `#!/bin/sh\necho "$# $1" >> ${hookLog}\n`);
    chmodSync(hook, 0o755);
    await start(`-F${hook}`);
  },
};

interface Info {
  readonly supported_commands: readonly { readonly name: string; readonly enabled: boolean }[];
}

/** Looks at the machine from outside, and at answers as far as they were recorded. */
const looks: Readonly<Record<string, () => Promise<string> | string>> = {
  'probe: isfrozen marker': () => `exists: ${yes(existsSync(join(directory, 'qga.state.isfrozen')))}`,
  'while frozen: guest-info enabled list': async () => {
    const { supported_commands } = (await client.call('guest-info')) as Info;
    const names = supported_commands.filter(({ enabled }) => enabled).map(({ name }) => `"${name}"`);
    return `[${names.toSorted().join(', ')}]`;
  },
  'probe: writer blocks': async () => {
    const writer = spawn('sh', ['-c', 'echo x > "$0"', at('ext4/written')], { stdio: 'ignore' });
    const state = (): string => /^State:\s+(\w)/m.exec(readFileSync(`/proc/${writer.pid}/status`, 'utf8'))?.[1] ?? '';
    await until(() => writer.exitCode !== null || state() === 'D');
    return `blocked: ${yes(writer.exitCode === null)}`;
  },
  'probe: outside freeze was thawed by the agent': () => `already thawed: ${yes(!isFrozen(at('ext4')))}`,
  'SIGTERM while frozen': () => end('SIGTERM'),
  'running after thaw': () => `exit ${agent.running ? 'None' : 'gone'}`,
  'hook: log after freeze': () => `'${readFileSync(hookLog, 'utf8').replaceAll('\n', '\\n')}'`,
};

const lines: Record<string, readonly string[]> = {};
try {
  await start();
  for (const { name, request } of loadGolden('freeze')) {
    await before[name]?.();
    const look = looks[name];
    lines[name] = [look === undefined ? await client.ask(request) : await look()];
  }
  await end('SIGTERM');
} finally {
  for (const name of ['ext4', 'xfs', 'btrfs', 'with space']) isFrozen(at(name));
}
process.stdout.write(JSON.stringify(lines));

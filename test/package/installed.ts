// SPDX-License-Identifier: Apache-2.0
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';

const run = promisify(execFile);
export const root = resolve(import.meta.dirname, '../..');

/** Programs of this project's own Node, whatever the system has. */
const environment = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, npm_config_update_notifier: 'false' };

export interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end. */
export async function ended(program: string, words: readonly string[], cwd: string): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(program, words, { cwd, env: environment, maxBuffer: 2 ** 26 });
    return { status: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { readonly code?: number; readonly stdout?: string; readonly stderr?: string };
    return { status: typeof code === 'number' ? code : -1, out: stdout, err: stderr };
  }
}

export async function mustEnd(program: string, words: readonly string[], cwd: string): Promise<string> {
  const { status, out, err } = await ended(program, words, cwd);
  if (status !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${status}:\n${out}\n${err}`);
  return out;
}

/** The package as it would be published, and a directory outside the repository in which it is installed. */
export interface Installation {
  readonly tarball: string;
  readonly directory: string;
  /** A program of the installed package. */
  program(name: string): string;
  /** A directory beside it, with the package installed. */
  project(name: string, from?: string): Promise<string>;
  remove(): void;
}

export async function installPackage(): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'concierge-package-'));
  if (!existsSync(join(root, 'dist/ctl.cjs'))) await mustEnd(process.execPath, [join(root, 'scripts/build-bundle.ts')], root);
  await mustEnd(process.execPath, [join(root, 'scripts/build-package.ts')], root);
  await mustEnd('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], root);
  const tarball = join(directory, readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '');
  await mustEnd('npm', ['init', '--yes'], directory);
  await install(directory, tarball);
  return {
    tarball,
    directory,
    program: (name) => join(directory, 'node_modules/.bin', name),
    project: async (name, from) => {
      const path = join(directory, name);
      if (from === undefined) mkdirSync(path, { recursive: true });
      else cpSync(from, path, { recursive: true });
      // Without one, npm installs in the directory above.
      if (!existsSync(join(path, 'package.json'))) writeFileSync(join(path, 'package.json'), '{ "private": true, "type": "module" }\n');
      await install(path, tarball);
      return path;
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const install = (directory: string, tarball: string): Promise<string> =>
  mustEnd('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], directory);

export interface StartedAgent {
  readonly socket: string;
  /** Asks it to end. Answers its exit status and what it said on standard error. */
  stop(): Promise<{ readonly status: number | null; readonly said: string }>;
}

/** Whether somebody takes connections: the file of a socket is there a moment earlier. */
const listensAt = (socket: string): Promise<boolean> => new Promise((settle) => {
  const probe = connect(socket);
  probe.once('connect', () => {
    probe.destroy();
    settle(true);
  });
  probe.once('error', () => settle(false));
});

/** An installed agent that serves a socket until it is stopped. */
export async function startAgent(program: string, words: readonly string[], directory: string): Promise<StartedAgent> {
  const socket = join(directory, 'agent.sock');
  const agent = spawn(program, [...words, '-m', 'unix-listen', '-p', socket, '-t', directory], { cwd: directory, env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  agent.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ending = new Promise<number | null>((done) => agent.once('close', (status) => done(status)));
  await vi.waitUntil(() => {
    if (agent.exitCode !== null) throw new Error(`the agent ended with ${agent.exitCode}: ${said}`);
    return listensAt(socket);
  }, { timeout: 60_000 });
  return {
    socket,
    stop: async () => {
      agent.kill();
      const status = await ending;
      return { status, said };
    },
  };
}

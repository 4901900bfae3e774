// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { program, scratchDirectory } from '../../wire/lib/agent-process.ts';
import { ask, endAll, keptAgent } from './kept-agent.ts';

const nobody = 65_534;

let impostors: ChildProcess[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const one of impostors) {
    const gone = once(one, 'exit');
    one.kill('SIGKILL');
    await gone;
  }
  impostors = [];
  await endAll();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A process of another user that calls itself a keeper, with what it calls its status open. Resolves when it is one. */
async function impostor(opening: string): Promise<number> {
  const directory = scratchDirectory();
  directories.push(directory);
  chmodSync(directory, 0o777);
  const script = `import os, shutil
where = "${directory}/concierge-keeper"
shutil.copy("/bin/sleep", where)
os.chmod(where, 0o755)
${opening}
os.set_inheritable(fd, True)
print("open", flush=True)
os.execv(where, ["concierge-keeper", "300"])`;
  const child = spawn('python3', ['-c', script], { uid: nobody, gid: nobody, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
  impostors.push(child);
  // Closed by the kernel when it has become the program: Python's own is not handed on.
  await once(child.stdout, 'data');
  const isItself = (): boolean => spawnSync('readlink', [`/proc/${child.pid}/exe`]).stdout.toString().trim() === `${directory}/concierge-keeper`;
  await expect.poll(isItself, { timeout: 30_000 }).toBe(true);
  return child.pid as number;
}

describe('doctor', () => {
  it.each([
    ['a pipe that nobody writes to', 'name = where + ".d"; os.mkdir(name); name += "/memfd:keeper-status (deleted)"; os.mkfifo(name); fd = os.open(name, os.O_RDWR)'],
    ['a terabyte of nothing', 'fd = os.memfd_create("keeper-status"); os.ftruncate(fd, 1 << 40)'],
    ['a status of its own', 'fd = os.memfd_create("keeper-status"); os.write(fd, b"keeper 9\\nasleep 1\\nagent 1\\nstarts 1\\ndeaths 0 \\nprograms 0 0\\nend\\n")'],
  ])('is neither held up nor misled by a process of another user that calls itself a keeper and shows %s', async (_what, opening) => {
    const pid = await impostor(opening);
    const state = scratchDirectory();
    directories.push(state);
    mkdirSync(`${state}/state`, { mode: 0o700 });

    const { stdout, signal } = spawnSync(program, ['doctor', '--json', '-m', 'unix-listen', '-p', `${state}/s`, '-t', `${state}/state`], { timeout: 60_000, killSignal: 'SIGKILL', env: { ...process.env, QGA_CONF: '/nowhere' } });

    expect(signal).toBeNull();
    const findings = JSON.parse(stdout.toString()) as readonly { readonly subject: string; readonly detail: string }[];
    expect(findings.some(({ subject }) => subject === 'keeper')).toBe(true);
    expect(findings.filter(({ detail }) => detail.includes(`process ${pid}`))).toEqual([]);
  });
});

describe('a program of a host', () => {
  it('has no way to the keeper, whoever it runs as', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    const script = 'ls -l /proc/self/fd; env; echo $PPID';
    const { pid } = (await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', script], 'capture-output': true })) as { pid: number };

    const ended = async (): Promise<Record<string, unknown>> => (await ask(host, 'guest-exec-status', { pid })) as Record<string, unknown>;
    await expect.poll(async () => (await ended())['exited'], { timeout: 30_000 }).toBe(true);
    const output = Buffer.from(String((await ended())['out-data']), 'base64').toString();

    expect(output).not.toMatch(/socket:|memfd:|CONCIERGE_GA_KEEPER|NOTIFY_SOCKET|LISTEN_/);
    host.close();
  });
});

// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { program, scratchDirectory } from '../../wire/lib/agent-process.ts';
import { agentOf, ask, endAll, keptAgent } from './kept-agent.ts';
import { keeperPath } from './keeper-lab.ts';

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

describe('an agent', () => {
  /** Said by a keeper before `go`; what the agent says until it serves, and how it ended when its keeper was gone. */
  const told = (...says: readonly string[]): { readonly serves: boolean; readonly text: string } => {
    const directory = scratchDirectory();
    directories.push(directory);
    const script = `import os, socket, subprocess, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
for text in sys.argv[2:]: ours.send(text.encode("latin-1"))
agent = subprocess.Popen([sys.argv[1], "-m", "unix-listen", "-p", "${directory}/s", "-t", "${directory}"], pass_fds=[theirs.fileno()], env={**os.environ, "CONCIERGE_GA_KEEPER": str(theirs.fileno())})
theirs.close()
while True:
    said = ours.recv(8192)
    print(said)
    if not said or said.startswith(b"notify READY"): break
ours.close()
print(agent.wait())`;
    const { stdout, stderr } = spawnSync('python3', ['-c', script, program, 'keeper 1 9 start', ...says, 'go'], { timeout: 60_000, env: { ...process.env, QGA_CONF: '/nowhere' } });
    const text = stdout.toString() + stderr.toString();
    return { serves: text.includes('READY=1'), text };
  };

  it.each(['listener', 'configuration', 'legacy', 'file-12', 'file-x', 'program-5-0', 'program-owner-5', 'uevents', 'kernel-log', 'waste-3-0', 'client-1'])(
    'serves though its keeper holds "%s" and it has no descriptor for that, and has it dropped',
    (name) => {
      const { serves, text } = told(`held ${name} plain `);

      expect(text).toContain(`b'drop ${name}'`);
      expect(text).toContain('1 of what the keeper holds cannot be had');
      expect(serves, text).toBe(true);
    },
  );

  it.each([['numbers', 'program 99999999999999999999 -5', 'ended 5 x y', 'program', 'ended 6'], ['input of nothing', 'input port\nabc', 'input \n'], ['words', 'unheard of', '', ' ', 'dropped', 'guardian 9 -9']])(
    'serves though its keeper says %s that mean nothing',
    (_what, ...says) => {
      expect(told(...says.filter((text) => text !== '')).serves).toBe(true);
    },
  );

  it('goes on with all that was open when its descriptors were used up, and the next one too', async () => {
    const keeper = await keptAgent({ command: ['prlimit', '--nofile=100:100', keeperPath, '--', program], words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const handles: unknown[] = [];
    for (let handle = await ask(host, 'guest-file-open', { path: '/proc/version' }); typeof handle === 'number'; handle = await ask(host, 'guest-file-open', { path: '/proc/version' })) handles.push(handle);
    expect(handles.length).toBeGreaterThan(20);
    const before = agentOf(keeper) as number;

    process.kill(before, 'SIGKILL');

    for (const handle of handles) expect(await ask(host, 'guest-file-read', { handle, count: 5 })).toMatchObject({ count: 5 });
    expect(agentOf(keeper)).not.toBe(before);
    for (const handle of handles) expect(await ask(host, 'guest-file-close', { handle })).toEqual({});
    host.close();
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

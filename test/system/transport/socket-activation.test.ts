// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ask, client } from './service.ts';

let scratch: string;
let path: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'activation-'));
  path = join(scratch, 'agent.sock');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true });
});

/** Makes descriptor 3 as the Python statement says and becomes the child; resolves to what it prints first. */
async function activate(
  makeFd3: string,
  environment: Record<string, string> = { LISTEN_PID: 'mine', LISTEN_FDS: '1', LISTEN_FDNAMES: 'agent' },
): Promise<{ child: ChildProcess; report: Record<string, unknown> }> {
  const program = `import os, socket, sys\n${makeFd3}\nif s.fileno() != 3:\n    os.dup2(s.fileno(), 3)\nos.set_inheritable(3, True)\nos.execv(sys.argv[1], sys.argv[1:])\n`;
  const child = spawn('python3', ['-c', program, process.execPath, join(import.meta.dirname, 'activated-child.ts')], {
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, report: JSON.parse(line.toString()) as Record<string, unknown> };
}

const unixSocket = (): string => `s = socket.socket(socket.AF_UNIX)\ns.bind(${JSON.stringify(path)})`;

describe('a socket from the service manager', () => {
  it('is served, whatever its kind says about method and path, and its file is left to its owner', async () => {
    const { child, report } = await activate(`${unixSocket()}\ns.listen(5)`);
    const socket = await client(path);

    const answer = await ask(socket, 'ping');
    socket.destroy();
    child.stdin!.end();
    await once(child, 'exit');

    expect(report).toEqual({ method: 'unix-listen', description: `unix-listen ${path} (socket activation)`, leftOver: [] });
    expect(answer).toBe('<ping>');
    expect(existsSync(path)).toBe(true);
  });

  it('is ignored when it is announced to another process, and the variables go all the same', async () => {
    const { report } = await activate(`${unixSocket()}\ns.listen(5)`, { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'x' });

    expect(report).toEqual({ activated: false, leftOver: [] });
  });

  it.each([
    ['no number', 'one'],
    ['none', '0'],
  ])('is none when the count is %s', async (_, count) => {
    const { report } = await activate(`${unixSocket()}\ns.listen(5)`, { LISTEN_PID: 'mine', LISTEN_FDS: count });

    expect(report).toEqual({ activated: false, leftOver: [] });
  });

  it('must be the only one', async () => {
    const { report } = await activate(`${unixSocket()}\ns.listen(5)`, { LISTEN_PID: 'mine', LISTEN_FDS: '2' });

    expect(report).toEqual({ error: 'qemu-ga only supports listening on one socket' });
  });

  it.each([
    ['a TCP socket', "s = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()", 'unsupported listen fd type'],
    ['a file', "s = open('/dev/null')", 'unsupported listen fd type: Socket operation on non-socket'],
  ])('is refused when it is %s', async (_, make, message) => {
    const { report } = await activate(make);

    expect(report).toEqual({ error: message });
  });

  it('is refused when it does not listen', async () => {
    const { report } = await activate(unixSocket());

    expect(report['error']).toMatch(/^unsupported listen fd type: the socket does not listen/);
  });
});

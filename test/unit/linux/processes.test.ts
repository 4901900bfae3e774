// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KeptDescriptors, LeftProgram } from '../../../core/ports/keeper.ts';
import type { ProcessEnd, RunningProcess, SpawnRequest } from '../../../core/ports/processes.ts';
import { linuxProcesses, processes } from '../../../adapters/linux/programs/processes.ts';
import { scratchDirectory, script } from './support/scratch.ts';

interface Ran {
  readonly end: ProcessEnd;
  readonly output: Buffer;
  readonly errors: Buffer;
}

async function run(path: string, args: readonly string[] = [], more: Partial<SpawnRequest> = {}): Promise<Ran> {
  const running = await processes.spawn({ path, arguments: args, output: 'capture', errors: 'capture', ...more });
  const pieces = { output: [] as Uint8Array[], errors: [] as Uint8Array[] };
  running.onOutput((stream, bytes) => pieces[stream].push(bytes));
  const end = await running.finished;
  return { end, output: Buffer.concat(pieces.output), errors: Buffer.concat(pieces.errors) };
}

const shell = (text: string, more: Partial<SpawnRequest> = {}): Promise<Ran> => run('/bin/sh', ['-c', text], more);

describe('running a program', () => {
  it('tells the exit code, and keeps the two streams apart', async () => {
    const { end, output, errors } = await shell('echo out; echo err >&2; exit 3');

    expect(end).toEqual({ exitCode: 3 });
    expect(output.toString()).toBe('out\n');
    expect(errors.toString()).toBe('err\n');
  });

  it('tells the signal that ended it', async () => {
    expect((await shell('kill -TERM $$')).end).toEqual({ signal: 15 });
  });

  it('merges the streams in the order in which they were written', async () => {
    const { output, errors } = await shell('for i in 1 2 3; do echo out $i; echo err $i >&2; done', { errors: 'merge' });

    expect(output.toString()).toBe('out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n');
    expect(errors).toHaveLength(0);
  });

  it('leaves no more descriptors to a program than it is used to', async () => {
    const { output } = await shell('ulimit -Sn');

    expect(Number(output.toString())).toBeLessThanOrEqual(1024);
  });

  it('captures one stream and discards the other', async () => {
    const onlyErrors = await shell('echo out; echo err >&2', { output: 'discard' });
    const onlyOutput = await shell('echo out; echo err >&2', { errors: 'discard' });

    expect([onlyErrors.output.toString(), onlyErrors.errors.toString()]).toEqual(['', 'err\n']);
    expect([onlyOutput.output.toString(), onlyOutput.errors.toString()]).toEqual(['out\n', '']);
  });

  it('passes megabytes through in both directions at once', async () => {
    const input = Buffer.alloc(3 * 1024 * 1024 + 1, 'abcdefg');

    const { end, output } = await run('cat', [], { input });

    expect(end).toEqual({ exitCode: 0 });
    expect(output.equals(input)).toBe(true);
  });

  it('ends well where the program does not want its input', async () => {
    expect((await run('true', [], { input: Buffer.alloc(1024 * 1024) })).end).toEqual({ exitCode: 0 });
  });

  it('gives an empty standard input without one, and end of file after an empty one', async () => {
    const without = await run('cat');
    const empty = await run('cat', [], { input: new Uint8Array() });

    expect(without).toEqual({ end: { exitCode: 0 }, output: Buffer.alloc(0), errors: Buffer.alloc(0) });
    expect(empty.end).toEqual({ exitCode: 0 });
  });

  it('passes arguments untouched, program name first', async () => {
    const { output } = await run('/bin/sh', ['-c', 'printf "%s|" "$0" "$@"', 'zero', 'a b', '', '"q"', '$HOME', '*', '\n', 'ü']);

    expect(output.toString()).toBe('zero|a b||"q"|$HOME|*|\n|ü|');
  });
});

describe('what a program finds', () => {
  it('has three descriptors and a session of its own', async () => {
    const { output } = await shell('ls /proc/$$/fd; cut -d" " -f1,5,6 /proc/$$/stat');

    const lines = output.toString().trim().split('\n');
    expect(lines.slice(0, 3)).toEqual(['0', '1', '2']);
    const [pid, group, session] = (lines[3] ?? '').split(' ');
    expect([group, session]).toEqual([pid, pid]);
  });

  // Of the program itself: a shell blocks all signals while it waits for a child.
  it('has no blocked or ignored signals', async () => {
    const { output } = await run('grep', ['-E', 'Sig(Blk|Ign)', '/proc/self/status']);

    expect(output.toString()).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
  });

  it('has the agent\'s environment, or exactly the given one', async () => {
    const own = await run('env');
    const given = await run('env', [], { environment: ['A=1', 'NOEQUALS', '=x'] });
    const none = await run('env', [], { environment: [] });

    expect(own.output.toString()).toContain(`PATH=${process.env['PATH'] ?? ''}`);
    expect(given.output.toString()).toBe('A=1\nNOEQUALS\n=x\n');
    expect(none.output).toHaveLength(0);
  });
});

describe('finding a program', () => {
  it('searches the PATH of the given environment', async () => {
    const directory = scratchDirectory();
    script(join(directory, 'mytool'), 'echo mine');

    const { output } = await run('mytool', [], { environment: [`PATH=/nonexistent:${directory}`] });

    expect(output.toString()).toBe('mine\n');
    await expect(run('true', [], { environment: [`PATH=${directory}`] })).rejects.toMatchObject({ os: { code: 'ENOENT' } });
  });

  it('hands a text file without #! to the shell', async () => {
    const path = join(scratchDirectory(), 'plain');
    writeFileSync(path, 'echo plain "$0" "$@"\n');
    chmodSync(path, 0o755);

    expect((await run(path, ['a'])).output.toString()).toBe(`plain ${path} a\n`);
  });

  it.each([
    ['a program that is missing', () => '/nonexistent/program', 'ENOENT'],
    ['a name that no PATH entry has', () => 'no-such-program-anywhere', 'ENOENT'],
    ['an empty name', () => '', 'ENOENT'],
    ['a directory', () => '/etc', 'EACCES'],
    ['a file that is not executable', () => '/etc/passwd', 'EACCES'],
    ['a binary of no known kind', () => {
      const path = join(scratchDirectory(), 'binary');
      writeFileSync(path, Buffer.from([0, 1, 2, 3]));
      chmodSync(path, 0o755);
      return path;
    }, 'ENOEXEC'],
    ['a script whose interpreter is missing', () => {
      const path = join(scratchDirectory(), 'script');
      writeFileSync(path, '#!/nonexistent/interpreter\n');
      chmodSync(path, 0o755);
      return path;
    }, 'ENOENT'],
    ['a NUL in an argument', () => 'tr\0ue', 'EINVAL'],
  ])('refuses %s', async (_what, path, code) => {
    // Of a name that no entry of PATH has, execvp(3) says EACCES where one of them may not be searched.
    await expect(run(path(), [], { environment: ['PATH=/usr/bin:/bin'] })).rejects.toMatchObject({ kind: 'os', os: { code } });
  });

  it('refuses arguments that are too long for the system', async () => {
    await expect(run('true', ['x'.repeat(1024 * 1024)])).rejects.toMatchObject({ os: { code: 'E2BIG' } });
  });
});

describe('the end of a program', () => {
  it('is told although another process keeps its output open', async () => {
    const { end, output } = await shell('sleep 600 & echo $!');

    expect(end).toEqual({ exitCode: 0 });
    process.kill(Number(output.toString()), 'SIGKILL');
  });

  it.each([
    ['captured', {}],
    ['captured as one', { errors: 'merge' }],
  ] as const)('lets a program in the background go on that writes to its output, %s, afterwards', async (_how, more) => {
    const directory = scratchDirectory();
    execFileSync('mkfifo', [join(directory, 'go')]);
    const background = `(read line <${directory}/go; echo late; echo late >&2; head -c 1000000 /dev/zero; touch ${directory}/lived) &`;

    const { end, output } = await shell(`${background} echo started`, more);
    writeFileSync(join(directory, 'go'), 'now\n');

    expect(end).toEqual({ exitCode: 0 });
    expect(output.toString()).toBe('started\n');
    await expect.poll(() => existsSync(join(directory, 'lived'))).toBe(true);
  });

  it('costs a pipe for as long as others hold it, of which there are no more than the limit', async () => {
    await run('true');
    const before = readdirSync('/proc/self/fd').length;
    const left = await Promise.all(Array.from({ length: 300 }, () => shell('sleep 600 >&2 & echo $!')));
    const during = readdirSync('/proc/self/fd').length;

    for (const { output } of left) process.kill(Number(output.toString()), 'SIGKILL');

    expect(during - before).toBe(256);
    await expect.poll(() => readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('comes to the whole group by kill, and kill is harmless afterwards', async () => {
    const running = await processes.spawn({ path: '/bin/sh', arguments: ['-c', 'sleep 600 & echo $!; wait'], output: 'capture', errors: 'discard' });
    const child = Promise.withResolvers<number>();
    running.onOutput((_stream, bytes) => child.resolve(Number(Buffer.from(bytes).toString())));
    const grandchild = await child.promise;

    running.kill();

    expect(await running.finished).toEqual({ signal: 9 });
    // Gone, or on its way: not asleep any more.
    expect(stateOf(grandchild)).not.toBe('S');
    running.kill();
  });

  it('leaves neither descriptors nor zombies', async () => {
    await run('true');
    const before = readdirSync('/proc/self/fd').length;

    for (let count = 0; count < 50; count++) await Promise.all([run('true'), run('cat', [], { input: Buffer.from('x') })]);

    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
    expect(zombies()).toEqual([]);
  });
});

describe('programs that an earlier agent has left', () => {
  it.each([[6 << 8, { exitCode: 6 }], [9, { signal: 9 }]])('have ended as the keeper says: %i', async (status, end) => {
    expect(await leftWith(status).finished).toEqual(end);
  });

  it('have ended somehow where the keeper cannot tell', async () => {
    await expect(leftWith(-1).finished).rejects.toThrow('nobody can tell how process 1000001 has ended');
  });
});

describe('programs that an earlier agent has conversed with', () => {
  it.each([[6 << 8, { exitCode: 6 }], [9, { signal: 9 }], [0x80 | 11, { signal: 11 }]])('have ended as the keeper says: %i', async (status, end) => {
    const { finished, told } = conversedWith(status);

    expect(await finished).toEqual(end);
    expect(told).toEqual([status & ~0x80]);
  });

  it('have ended somehow where the keeper cannot tell, and the next agent is told just that', async () => {
    const { finished, told } = conversedWith(-1);

    await expect(finished).rejects.toThrow('nobody can tell how the program has ended');
    expect(told).toEqual([-1]);
  });
});

/** The same of a conversation, and what the keeper is told of its end then. */
function conversedWith(status: number): { readonly finished: Promise<unknown>; readonly told: readonly number[] } {
  const file = join(scratchDirectory(), 'texts');
  writeFileSync(file, `${' '.repeat(1024)}{}`);
  const told: number[] = [];
  const kept: KeptDescriptors = {
    ...keptOf({ serial: 1, pid: 1_000_001, owner: '', status }, (how) => told.push(how)),
    takeAll: () => [{ name: 'program-talk-1-texts', note: '', fd: openSync(file, 'r+') }],
  };
  const [left] = linuxProcesses(kept).interactive?.left?.() ?? [];
  if (left === undefined) throw new Error('none is left');
  const finished = left.resume({ output: 0, errors: 0 }).finished;
  left.drop();
  return { finished, told };
}

const keptOf = (left: LeftProgram, ended: (status: number) => void = () => undefined): KeptDescriptors => ({
  take: () => undefined,
  takeAll: () => [],
  input: () => undefined,
  keep: () => undefined,
  drop: () => Promise.resolve(),
  programs: { begin: () => 0, ended: (_serial, status) => ended(status), forget: () => undefined, left: () => [left], onEnded: () => undefined },
  isEnding: false,
});

/** One of which a keeper says that it has ended, with nothing left of it but that. */
function leftWith(status: number): RunningProcess {
  const [left] = linuxProcesses(keptOf({ serial: 1, pid: 1_000_001, owner: '', status })).left?.() ?? [];
  if (left === undefined) throw new Error('none is left');
  left.onOutput(() => undefined);
  return left;
}

function stateOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.charAt(0) ?? 'gone';
  } catch {
    return 'gone';
  }
}

function zombies(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
        return fields[0] === 'Z' && fields[1] === String(process.pid);
      } catch {
        return false;
      }
    });
}

// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { changedEnvironment } from '../../adapters/windows/command-line.ts';
import { startConversation } from '../../adapters/windows/conversation.ts';
import type { InteractiveProgram, ProgramRequest, ProgramStream } from '../../core/ports/index.ts';
import { type RunningAgent, startAgent } from './agent-program.ts';
import { built } from './doubles.ts';
import { handlesOfProcess } from './handles.ts';
import { after, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const path = built('programs.exe');

const start = (words: readonly string[], extra: Partial<ProgramRequest> = {}): Promise<InteractiveProgram> =>
  startConversation({ path, arguments: words, environmentChanges: [], stdin: 'none', errors: 'capture', ...extra });

const soon = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, 10);
  });

/** What comes of a stream, up to its end or until there are so many bytes. */
async function heard(program: InteractiveProgram, stream: ProgramStream, most = Infinity): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const into = Buffer.alloc(50_000);
  for (let length = 0; length < most;) {
    const count = program.read(stream, into);
    if (count === 0) break;
    if (count === undefined) await soon();
    else {
      pieces.push(Buffer.from(into.subarray(0, count)));
      length += count;
    }
  }
  return Buffer.concat(pieces);
}

describe('programs that are talked with', () => {
  for (const [signal, number] of [['TERM', 15], ['KILL', 9], ['HUP', 1], [15, 15]] as const) {
    it(`${signal} ends one, and that is how it has ended`, async () => {
      const program = await start(['waits']);

      program.signal(signal, false);

      assert.deepEqual(await program.finished, { signal: number });
      assert.throws(() => program.signal(signal, true), { os: { code: 'ESRCH', errno: 3, osText: 'No such process', syscall: 'kill' } });
      program.kill();
      program.release();
    });
  }

  it('a signal that only a console passes on is refused with a sentence, and so is one that there is not', async () => {
    const program = await start(['waits']);

    for (const signal of ['INT', 'WINCH', 2, 64]) {
      assert.throws(() => program.signal(signal, true), ({ os }: { os: object }) => {
        assert.deepEqual(os, { code: 'EINVAL', errno: 22, osText: `Windows has no signal ${signal}: HUP, TERM and KILL end a program`, syscall: 'kill' });
        return true;
      });
    }
    program.kill();

    assert.deepEqual(await program.finished, { signal: 9 });
    program.release();
  });

  it('a signal to its group ends what it has started, and one to itself does not', async () => {
    for (const group of [true, false]) {
      const folder = mkdtempSync(join(tmpdir(), 'concierge-group-'));
      const [go, wrote] = [join(folder, 'go'), join(folder, 'wrote')];
      const program = await start(['waits-with-writer', go, wrote], { errors: 'merge' });
      assert.equal(String(await heard(program, 'output', 8)), 'started\n');

      program.signal('TERM', group);

      assert.deepEqual(await program.finished, { signal: 15 });
      // What it has started holds the output, and writes when there is a file.
      if (!group) writeFileSync(go, '');
      assert.equal((await heard(program, 'output')).length, group ? 0 : 2 << 20);
      program.release();
    }
  });

  it('an exit code is no signal, whatever its number', async () => {
    for (const code of [143, 137, -1]) {
      const program = await start(['exits', String(code)]);
      assert.deepEqual(await program.finished, code < 0 ? { signal: -1 } : { exitCode: code });
      program.release();
    }
  });

  it('no program is started as another user, or with other groups', async () => {
    await assert.rejects(start(['waits'], { user: 'bob' }), { message: "a program cannot be started as the user 'bob': on Windows it runs as the agent does" });
    await assert.rejects(start(['waits'], { groups: ['Users'] }), { message: 'a program cannot be given other groups on Windows' });
  });

  it('a batch file is refused', async () => {
    await assert.rejects(start([], { path: 'C:\\x.bat. ' }), { message: 'Failed to execute child process “C:\\x.bat. ” (a batch file has to be run by cmd.exe, with /c)' });
  });

  it('a program is looked for in the directory where it is to start', async () => {
    const program = await start(['directory'], { path: '.\\programs', workingDirectory: join(path, '..') });

    assert.equal(String(await heard(program, 'output')).trim().toLowerCase(), join(path, '..').toLowerCase());
    program.release();
  });

  it('writing nothing is no end of the output', async () => {
    const program = await start(['nothing-first']);

    assert.equal(String(await heard(program, 'output')), 'something');
    program.release();
  });

  it('one that writes more than is read waits, and loses nothing', async () => {
    const written = join(mkdtempSync(join(tmpdir(), 'concierge-flow-')), 'written');
    const program = await start(['writes', '400', written]);
    await heard(program, 'output', 1);
    const wasWritten = existsSync(written);

    const rest = await heard(program, 'output');

    assert.equal(wasWritten, false, 'a pipe and one piece do not hold 400 000 bytes');
    assert.ok(rest.length > 0);
    assert.deepEqual(await program.finished, { exitCode: 0 });
    assert.ok(existsSync(written));
    program.release();
  });

  it('what one has left in the background writes on after its release', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'concierge-left-'));
    const [go, wrote] = [join(folder, 'go'), join(folder, 'wrote')];
    const program = await start(['leaves-writer', go, wrote]);
    await program.finished;

    program.release();
    writeFileSync(go, '');
    while (!existsSync(wrote) || readFileSync(wrote, 'utf8') === '') await soon();

    assert.equal(readFileSync(wrote, 'utf8'), 'yes');
  });

  it('24 of them leave no handle behind, however they end', async () => {
    const run = async (_: unknown, index: number): Promise<void> => {
      const program = await start([index % 3 === 0 ? 'waits' : 'copies'], { stdin: 'open', errors: index % 2 === 0 ? 'merge' : 'capture' });
      assert.equal(program.write(Buffer.from('x')), 1);
      if (index % 3 === 0) program.kill();
      else program.endInput();
      await program.finished;
      assert.equal(String(await heard(program, 'output')), index % 3 === 0 ? '' : 'x');
      program.release();
      while (program.read('errors', Buffer.alloc(1)) !== 0) await soon();
    };
    await Promise.all(Array.from({ length: 8 }, run));
    const before = handlesOfProcess();

    for (let count = 0; count < 24; count += 8) await Promise.all(Array.from({ length: 8 }, run));

    const now = handlesOfProcess();
    assert.ok(now <= before + 8, `${before} handles before, ${now} after`);
  });

  it('changes of an environment know no capitals', () => {
    assert.deepEqual(changedEnvironment(['path=C:\\x', 'b', 'New=1', 'new=2'], { Path: 'C:\\', B: '1', C: '3' }), ['path=C:\\x', 'C=3', 'new=2']);
  });
});

interface Exchange {
  readonly output?: string;
  readonly 'output-offset': number;
  readonly 'output-lost'?: number;
  readonly 'output-ended': boolean;
  readonly 'errors-ended': boolean;
  readonly exited: boolean;
}

describe('the commands of programs that are talked with', () => {
  async function withAgent(use: (agent: RunningAgent) => Promise<void>): Promise<void> {
    const agent = await startAgent();
    try {
      await use(agent);
    } finally {
      await agent.stop();
    }
  }

  const command = (name: string): string => `__org.concierge_exec-${name}`;

  const isOver = (answer: Exchange): boolean => answer.exited && answer['output-ended'] && answer['errors-ended'];

  /** Asks until an answer is as it is to be. */
  async function until(agent: RunningAgent, args: object, is: (answer: Exchange) => boolean): Promise<Exchange> {
    for (;;) {
      const answer = await agent.answerOf<Exchange>(command('exchange'), { 'wait-ms': 5000, ...args });
      if (is(answer)) return answer;
    }
  }

  it('bring input, fetch output twice, list, and tell how it has ended', async () => {
    await withAgent(async (agent) => {
      const { program, pid } = await agent.answerOf<{ program: number; pid: number }>(command('start'), { path, arg: ['copies'], stdin: 'open' });
      await agent.answerOf(command('exchange'), { program, input: Buffer.from('hello').toString('base64'), 'input-offset': 0, 'wait-ms': 0 });
      const said = Buffer.from('hello').toString('base64');
      await until(agent, { program, 'output-offset': 0 }, ({ output }) => output === said);
      const again = await agent.answerOf<Exchange>(command('exchange'), { program, 'output-offset': 0 });
      const repeated = await agent.answerOf<Record<string, unknown>>(command('exchange'), { program, input: said, 'input-offset': 0, 'output-offset': 0 });
      const [listed] = await agent.answerOf<readonly Record<string, unknown>[]>(command('list'));
      await agent.answerOf(command('exchange'), { program, 'input-offset': 5, 'end-of-input': true, 'output-offset': 5, 'wait-ms': 0 });
      const end = await until(agent, { program, 'output-offset': 5 }, isOver);

      assert.equal(again.output, said);
      assert.deepEqual([repeated['output'], repeated['input-accepted']], [said, 5]);
      assert.deepEqual([listed?.['program'], listed?.['pid'], listed?.['path'], listed?.['exited']], [program, pid, path, false]);
      assert.deepEqual(end, { 'input-accepted': 5, 'input-ended': true, 'output-offset': 5, 'output-ended': true, 'errors-offset': 0, 'errors-ended': true, exited: true, exitcode: 0 });
      await agent.answerOf(command('forget'), { program });
      assert.deepEqual(await agent.answerOf(command('list')), []);
    });
  });

  it('end it by a signal or at its time limit, and keep the latest of what it writes', async () => {
    await withAgent(async (agent) => {
      const begin = async (args: object): Promise<number> => (await agent.answerOf<{ program: number }>(command('start'), { path, ...args })).program;
      const signalled = await begin({ arg: ['waits'] });
      const refusal = await agent.refusalOf(command('signal'), { program: signalled, signal: 'INT' });
      await agent.answerOf(command('signal'), { program: signalled, signal: 'TERM' });
      const byTerm = await until(agent, { program: signalled }, ({ exited }) => exited);
      const limited = await begin({ arg: ['waits'], 'time-limit-ms': 1 });
      const byLimit = await until(agent, { program: limited }, ({ exited }) => exited);
      const latest = await begin({ arg: ['many', '300000'], keep: 'latest', 'keep-bytes': 1000 });
      await until(agent, { program: latest }, isOver);
      const kept = await agent.answerOf<Exchange>(command('exchange'), { program: latest, 'output-offset': 0 });

      assert.equal(refusal, 'failed to send the signal: Windows has no signal INT: HUP, TERM and KILL end a program');
      assert.equal((byTerm as unknown as { signal: number }).signal, 15);
      assert.deepEqual([(byLimit as unknown as { signal: number }).signal, (byLimit as unknown as Record<string, unknown>)['timed-out']], [15, true]);
      assert.deepEqual([kept['output-offset'], kept['output-lost'], Buffer.from(kept.output ?? '', 'base64').toString()], [299_000, 299_000, 'x'.repeat(1000)]);
    });
  });

  it('refuse a terminal, and the command for its size is not there', async () => {
    await withAgent(async (agent) => {
      assert.equal(await agent.refusalOf(command('start'), { path, arg: ['waits'], terminal: { rows: 24, columns: 80 } }), 'this backend has no terminals');
      assert.match(await agent.refusalOf(command('resize'), { program: 1, rows: 24, columns: 80 }), /has not been found$/);
      assert.match(await agent.refusalOf(command('start'), { path, 'working-directory': 'C:\\missing' }), /^failed to enter the directory 'C:\\missing': No such file or directory$/);
    });
  });
});

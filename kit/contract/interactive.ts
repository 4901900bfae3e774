// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { InteractiveProgram, InteractivePrograms, ProcessEnd, ProgramRequest, ProgramStream, TerminalProgram, TerminalSize } from '../../core/ports/index.ts';
import { failsWithCode } from './expect.ts';
import { contractGroup, timePasses, type ContractCase } from './group.ts';
import type { ContractPrograms, ProgramCall } from './programs.ts';
import type { ContractSubject } from './subject.ts';

type Extra = Partial<Omit<ProgramRequest, 'path' | 'arguments'>>;

const request = (call: ProgramCall, extra: Extra = {}): ProgramRequest =>
  ({ environmentChanges: [], stdin: 'none', errors: 'capture', ...call, ...extra });

function programsOf({ knows }: ContractSubject): ContractPrograms {
  return knows.programs ?? assert.fail('this machine has no programs to run');
}

/** Converses with a program as the agent does: whatever cannot go on waits until the program says that it can. */
class Conversation {
  readonly program: InteractiveProgram;
  readonly #waiting = new Map<ProgramStream | 'input', () => void>();
  readonly #told = new Set<ProgramStream | 'input'>();
  readonly #buffer = Buffer.alloc(70_000);

  constructor(program: InteractiveProgram) {
    this.program = program;
    program.onReady((what) => {
      const waiting = this.#waiting.get(what);
      this.#waiting.delete(what);
      if (waiting === undefined) this.#told.add(what);
      waiting?.();
    });
  }

  /** The next piece; empty at the end. */
  async piece(stream: ProgramStream, most = this.#buffer.length): Promise<Buffer> {
    for (;;) {
      this.#told.delete(stream);
      const into = this.#buffer.subarray(0, most);
      const count = this.program.read(stream, into);
      if (count !== undefined) return Buffer.from(into.subarray(0, count));
      // oxlint-disable-next-line no-await-in-loop -- it comes when it comes
      await this.#turn(stream);
    }
  }

  /** What comes until a text is in it. */
  async until(text: string): Promise<string> {
    let heard = '';
    while (!heard.includes(text)) {
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      const piece = await this.piece('output');
      assert.notEqual(piece.length, 0, `the output ended without ${JSON.stringify(text)}, after ${JSON.stringify(heard)}`);
      heard += piece.toString('latin1');
    }
    return heard;
  }

  /** All that comes. */
  async all(stream: ProgramStream, most?: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      const piece = await this.piece(stream, most);
      if (piece.length === 0) return Buffer.concat(pieces);
      pieces.push(piece);
    }
  }

  /** Hands over all of it; false: it was not wanted. */
  async give(bytes: Uint8Array): Promise<boolean> {
    for (let at = 0; at < bytes.length; ) {
      this.#told.delete('input');
      const taken = this.program.write(bytes.subarray(at));
      if (taken === undefined) return false;
      at += taken;
      // oxlint-disable-next-line no-await-in-loop -- one piece after the other
      if (at < bytes.length) await this.#turn('input');
    }
    return true;
  }

  #turn(what: ProgramStream | 'input'): Promise<void> {
    if (this.#told.delete(what)) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.set(what, resolve));
  }
}

const start = async (programs: InteractivePrograms, call: ProgramCall, extra?: Extra): Promise<Conversation> =>
  new Conversation(await programs.start(request(call, extra)));

async function finish({ program }: Conversation): Promise<ProcessEnd> {
  program.kill();
  const end = await program.finished;
  program.release();
  return end;
}

type Case = ContractCase<InteractivePrograms>;

const streams: readonly Case[] = [
  {
    name: 'what is written is read back while the program runs, and it ends when its input does',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).copiesInput(), { stdin: 'open' });

      await conversation.give(Buffer.from('one'));
      const first = await conversation.until('one');
      await conversation.give(Buffer.from('two'));
      const second = await conversation.until('two');
      conversation.program.endInput();
      conversation.program.endInput();

      assert.deepEqual([first, second], ['one', 'two']);
      assert.deepEqual(await conversation.program.finished, { exitCode: 0 });
      assert.equal((await conversation.piece('output')).length, 0);
      conversation.program.release();
    },
  },
  {
    name: 'every byte arrives as it was written, whatever the pieces',
    run: async (programs, subject) => {
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
      const conversation = await start(programs, programsOf(subject).copiesInput(), { stdin: 'open' });
      const given = conversation.give(bytes).then(() => conversation.program.endInput());

      const heard = await conversation.all('output', 4001);

      await given;
      assert.ok(heard.equals(bytes));
      await finish(conversation);
    },
  },
  {
    name: 'standard output and standard error are read apart',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).prints('for you', 'oh dear'));

      const heard = await Promise.all([conversation.all('output'), conversation.all('errors')]);

      assert.deepEqual(heard.map(String), ['for you', 'oh dear']);
      await finish(conversation);
    },
  },
  {
    name: 'merged streams keep the order of writing, and there are no errors',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).interleaves(), { errors: 'merge' });

      const heard = await Promise.all([conversation.all('output'), conversation.all('errors')]);

      assert.deepEqual(heard.map((one) => String(one).replaceAll(/\s/gu, '')), ['1234', '']);
      await finish(conversation);
    },
  },
  {
    name: 'without input there is nothing to read, and what is written is not taken',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).copiesInput());

      assert.equal(conversation.program.write(Buffer.from('x')), undefined);
      assert.equal((await conversation.all('output')).length, 0);
      assert.deepEqual(await conversation.program.finished, { exitCode: 0 });
      conversation.program.release();
    },
  },
  {
    name: 'input that the program does not want is not taken for ever',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).exits(0), { stdin: 'open' });

      assert.equal(await conversation.give(new Uint8Array(2 ** 22)), false);
      assert.deepEqual(await conversation.program.finished, { exitCode: 0 });
      conversation.program.release();
    },
  },
  {
    name: 'a program that writes without end waits while nobody reads, and goes on when somebody does',
    skip: ({ knows }) => (knows.programs?.floods === undefined ? 'needs a program that writes without end' : undefined),
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).floods?.() ?? assert.fail('no such program'));
      let heard = 0;

      while (heard < 3_000_000) {
        // oxlint-disable-next-line no-await-in-loop -- one piece after the other
        heard += (await conversation.piece('output')).length;
      }

      if (programsOf(subject).diesOf !== undefined) assert.deepEqual(await finish(conversation), { signal: 9 });
      else await finish(conversation);
    },
  },
  {
    name: 'a program has ended when it has ended, though a child still holds its output',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).leavesChild());

      const end = await conversation.program.finished;
      const first = await conversation.until('done');
      const rest = conversation.all('output');
      await timePasses(subject, 6000);

      assert.deepEqual(end, { exitCode: 0 });
      assert.equal((first + String(await rest)).replaceAll(/\s/gu, ''), 'donelate');
      conversation.program.release();
    },
  },
  {
    name: 'a program that is over is read to its end afterwards',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).prints('out', 'err'));
      await conversation.program.finished;

      const heard = await Promise.all([conversation.all('output'), conversation.all('errors')]);

      assert.deepEqual(heard.map(String), ['out', 'err']);
      conversation.program.release();
    },
  },
];

const surroundings: readonly Case[] = [
  {
    name: 'changes of the environment add, replace and remove, and leave the rest',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).printsEnvironment(), { environmentChanges: ['A=1', 'EMPTY=', 'A=a=b', 'B=2', 'B', 'NOT_THERE'] });

      const lines = String(await conversation.all('output')).split('\n');

      assert.deepEqual(lines.filter((line) => /^(?:A|B|EMPTY|NOT_THERE)=/u.test(line)).toSorted(), ['A=a=b', 'EMPTY=']);
      assert.ok(lines.some((line) => line.startsWith('PATH=')));
      await finish(conversation);
    },
  },
  {
    name: 'the working directory is the one that was asked for',
    skip: ({ knows }) => (knows.programs?.printsDirectory === undefined ? 'needs a program that prints its directory' : undefined),
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).printsDirectory?.() ?? assert.fail('no such program'), { workingDirectory: subject.scratchDirectory });

      assert.equal(String(await conversation.all('output')).trim(), subject.scratchDirectory);
      await finish(conversation);
    },
  },
  {
    name: 'a working directory that is not there is refused (ENOENT), a file as one too (ENOTDIR)',
    run: async (programs, subject) => {
      const file = `${subject.scratchDirectory}/file`;
      await subject.scratch.write(file, Uint8Array.of(1));
      const call = programsOf(subject).exits(0);

      await failsWithCode(subject, 'ENOENT', () => programs.start(request(call, { workingDirectory: `${subject.scratchDirectory}/missing` })));
      await failsWithCode(subject, 'ENOTDIR', () => programs.start(request(call, { workingDirectory: file })));
    },
  },
  {
    name: 'users and groups that do not exist are refused by name',
    run: async (programs, subject) => {
      const call = programsOf(subject).exits(0);

      await assert.rejects(programs.start(request(call, { user: 'no-such-user' })), { message: "the user 'no-such-user' does not exist" });
      await assert.rejects(programs.start(request(call, { groups: ['no-such-group'] })), { message: "the group 'no-such-group' does not exist" });
    },
  },
  {
    name: 'a program that is missing is refused (ENOENT)',
    run: async (programs, subject) => {
      await failsWithCode(subject, 'ENOENT', () => programs.start(request({ path: `${subject.scratchDirectory}/missing`, arguments: [] })));
    },
  },
];

const signals: readonly Case[] = [
  ...(['TERM', 15] as const).map((signal): Case => ({
    name: `a signal ends a program that waits, called ${signal}`,
    skip: ({ knows }) => (knows.programs?.diesOf === undefined ? 'needs signals' : undefined),
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).waits());

      conversation.program.signal(signal, true);

      assert.deepEqual(await conversation.program.finished, { signal: 15 });
      conversation.program.release();
    },
  })),
  {
    name: 'a signal that does not exist is refused (EINVAL), and one to a program that has ended (ESRCH)',
    skip: ({ knows }) => (knows.programs?.diesOf === undefined ? 'needs signals' : undefined),
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).waits());

      await failsWithCode(subject, 'EINVAL', async () => conversation.program.signal('NONSENSE', false));
      await finish(conversation);
      await failsWithCode(subject, 'ESRCH', async () => conversation.program.signal('TERM', false));
    },
  },
  {
    name: 'kill ends a program at once, and is harmless afterwards',
    run: async (programs, subject) => {
      const conversation = await start(programs, programsOf(subject).waits());

      const end = await finish(conversation);
      conversation.program.kill();

      if (programsOf(subject).diesOf !== undefined) assert.deepEqual(end, { signal: 9 });
    },
  },
];

type Terminals = NonNullable<InteractivePrograms['terminals']>;
type TerminalCase = ContractCase<Terminals>;

const usual: TerminalSize = { rows: 24, columns: 80 };

async function onTerminal(terminals: Terminals, call: ProgramCall, size = usual): Promise<Conversation & { readonly terminal: TerminalProgram }> {
  const terminal = await terminals.start(request(call), size);
  return Object.assign(new Conversation(terminal), { terminal });
}

const terminal: readonly TerminalCase[] = [
  {
    name: 'what is typed is echoed, a line at a time is read, and the end-of-file character ends it',
    run: async (terminals, subject) => {
      const conversation = await onTerminal(terminals, programsOf(subject).copiesInput());

      await conversation.give(Buffer.from('hello\n'));
      const heard = await conversation.until('hello\r\nhello\r\n');
      conversation.program.endInput();

      assert.equal(heard, 'hello\r\nhello\r\n');
      assert.deepEqual(await conversation.program.finished, { exitCode: 0 });
      await finish(conversation);
    },
  },
  {
    name: 'the end of input ends a line that was begun, too',
    run: async (terminals, subject) => {
      const conversation = await onTerminal(terminals, programsOf(subject).copiesInput());

      await conversation.give(Buffer.from('begun'));
      await conversation.until('begun');
      conversation.program.endInput();

      assert.match(String(await conversation.all('output')), /begun/u);
      assert.deepEqual(await conversation.program.finished, { exitCode: 0 });
      await finish(conversation);
    },
  },
  {
    name: 'Ctrl-C interrupts what runs',
    skip: ({ knows }) => (knows.programs?.diesOf === undefined ? 'needs signals' : undefined),
    run: async (terminals, subject) => {
      const conversation = await onTerminal(terminals, programsOf(subject).copiesInput());
      await conversation.give(Buffer.from('x\n'));
      await conversation.until('x\r\nx\r\n');

      await conversation.give(Buffer.from('\x03'));

      assert.deepEqual(await conversation.program.finished, { signal: 2 });
      await finish(conversation);
    },
  },
  {
    name: 'the terminal has the size that was asked for',
    skip: ({ knows }) => (knows.programs?.printsTerminalSize === undefined ? 'needs a program that prints the size' : undefined),
    run: async (terminals, subject) => {
      const conversation = await onTerminal(terminals, programsOf(subject).printsTerminalSize?.() ?? assert.fail('no such program'), { rows: 33, columns: 133 });

      assert.equal(String(await conversation.all('output')), '33 133\r\n');
      await finish(conversation);
    },
  },
  {
    name: 'a terminal can be given another size, and standard error comes as output',
    run: async (terminals, subject) => {
      const conversation = await onTerminal(terminals, programsOf(subject).prints('out', 'err'));
      conversation.terminal.resize({ rows: 1, columns: 10_000 });

      assert.equal((await conversation.all('errors')).length, 0);
      assert.equal(String(await conversation.all('output')), 'outerr');
      await finish(conversation);
    },
  },
];

const needPrograms = <Port>(cases: readonly ContractCase<Port>[]): readonly ContractCase<Port>[] =>
  cases.map((one) => ({
    ...one,
    skip: (subject) => (subject.knows.programs === undefined ? 'needs programs to run' : one.skip?.(subject)),
  }));

export const interactiveContract = contractGroup(
  'processes.interactive', (backend) => backend.processes?.interactive, needPrograms([...streams, ...surroundings, ...signals]),
);

export const terminalContract = contractGroup(
  'processes.interactive.terminals', (backend) => backend.processes?.interactive?.terminals, needPrograms(terminal),
);

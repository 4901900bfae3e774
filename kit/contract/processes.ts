// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { ProcessEnd, Processes, RunningProcess, SpawnRequest } from '../../core/ports/index.ts';
import { failsWithCode } from './expect.ts';
import { contractGroup, timePasses, type ContractCase } from './group.ts';
import type { ContractPrograms, ProgramCall } from './programs.ts';
import type { ContractSubject } from './subject.ts';

interface Run {
  readonly end: ProcessEnd;
  readonly output: string;
  readonly errors: string;
}

/** Collects what a process writes until it is finished; what comes later is a failure of the test. */
function listen(process: RunningProcess): { readonly output: Buffer[]; readonly errors: Buffer[]; close(): void } {
  const heard = { output: new Array<Buffer>(), errors: new Array<Buffer>() };
  let closed = false;
  process.onOutput((stream, bytes) => {
    assert.equal(closed, false, 'nothing is delivered after the process is finished');
    heard[stream].push(Buffer.from(bytes));
  });
  return { ...heard, close: () => { closed = true; } };
}

type Extra = Partial<Omit<SpawnRequest, 'path' | 'arguments'>>;

async function run(processes: Processes, call: ProgramCall, extra: Extra = {}, meanwhile?: () => Promise<void>): Promise<Run> {
  const running = await processes.spawn({ output: 'capture', errors: 'capture', ...call, ...extra });
  const heard = listen(running);
  await meanwhile?.();
  const end = await running.finished;
  heard.close();
  return { end, output: Buffer.concat(heard.output).toString(), errors: Buffer.concat(heard.errors).toString() };
}

/** The programs; a case that uses them is skipped where there are none. */
function programsOf({ knows }: ContractSubject): ContractPrograms {
  return knows.programs ?? assert.fail('this machine has no programs to run');
}

const exited = (exitCode: number): ProcessEnd => ({ exitCode });

type Case = ContractCase<Processes>;

const ends: readonly Case[] = [
  ...[0, 1, 42, 255].map((code): Case => ({
    name: `exit code ${code} arrives`,
    run: async (processes, subject) => {
      const { end } = await run(processes, programsOf(subject).exits(code));

      assert.deepEqual(end, exited(code));
    },
  })),
  {
    name: 'a process that a signal ends tells its number',
    skip: ({ knows }) => (knows.programs?.diesOf === undefined ? 'needs signals' : undefined),
    run: async (processes, subject) => {
      const { diesOf } = programsOf(subject);

      const { end } = await run(processes, diesOf?.(15) ?? assert.fail('no signals'));

      assert.deepEqual(end, { signal: 15 });
    },
  },
  {
    name: 'kill ends a process that would go on, and is harmless afterwards',
    run: async (processes, subject) => {
      const running = await processes.spawn({ ...programsOf(subject).waits(), output: 'capture', errors: 'capture' });

      running.kill();
      const end = await running.finished;
      running.kill();

      if (programsOf(subject).diesOf !== undefined) assert.deepEqual(end, { signal: 9 });
    },
  },
  {
    name: 'twenty processes run side by side, with a number each',
    run: async (processes, subject) => {
      const started = await Promise.all(
        Array.from({ length: 20 }, () => processes.spawn({ ...programsOf(subject).exits(3), output: 'discard', errors: 'discard' })),
      );

      const all = await Promise.all(started.map(({ finished }) => finished));

      assert.deepEqual(all, Array.from({ length: 20 }, () => exited(3)));
      assert.ok(started.every(({ pid }) => Number.isInteger(pid) && pid > 0));
    },
  },
  {
    name: 'a child that keeps the output open does not keep the process from being finished',
    run: async (processes, subject) => {
      const { end, output } = await run(processes, programsOf(subject).leavesChild(), {}, () => timePasses(subject, 2000));

      assert.deepEqual(end, exited(0));
      assert.equal(output.trim(), 'done');
    },
  },
];

const streams: readonly Case[] = [
  {
    name: 'standard output and standard error are told apart',
    run: async (processes, subject) => {
      const { output, errors } = await run(processes, programsOf(subject).prints('for you', 'oh dear'));

      assert.equal(output, 'for you');
      assert.equal(errors, 'oh dear');
    },
  },
  {
    name: 'what is discarded is not delivered, and what is captured beside it is',
    run: async (processes, subject) => {
      const onlyErrors = await run(processes, programsOf(subject).prints('out', 'err'), { output: 'discard' });
      const onlyOutput = await run(processes, programsOf(subject).prints('out', 'err'), { errors: 'discard' });

      assert.deepEqual([onlyErrors.output, onlyErrors.errors], ['', 'err']);
      assert.deepEqual([onlyOutput.output, onlyOutput.errors], ['out', '']);
    },
  },
  {
    name: 'merged streams keep the order in which they were written',
    skip: ({ backend }) => (backend.processes?.canMerge === true ? undefined : 'this backend cannot merge'),
    run: async (processes, subject) => {
      const { output, errors } = await run(processes, programsOf(subject).interleaves(), { errors: 'merge' });

      assert.equal(output.replaceAll(/\s/gu, ''), '1234');
      assert.equal(errors, '');
    },
  },
  {
    name: 'one MiB of output arrives whole',
    run: async (processes, subject) => {
      const { output, end } = await run(processes, programsOf(subject).printsMany(2 ** 20));

      assert.deepEqual(end, exited(0));
      assert.equal(output.length, 2 ** 20);
      assert.equal(output.replaceAll('x', ''), '');
    },
  },
  {
    name: 'the pieces of output are the listener’s to keep',
    run: async (processes, subject) => {
      const running = await processes.spawn({ ...programsOf(subject).printsMany(300_000), output: 'capture', errors: 'discard' });
      const pieces: Uint8Array[] = [];
      running.onOutput((_, bytes) => pieces.push(bytes));

      await running.finished;

      assert.equal(Buffer.concat(pieces).toString().replaceAll('x', ''), '');
      assert.equal(pieces.reduce((sum, { length }) => sum + length, 0), 300_000);
    },
  },
];

const surroundings: readonly Case[] = [
  {
    name: 'input is fed whole and then ends',
    run: async (processes, subject) => {
      const input = Buffer.alloc(2 ** 20, 'line of input\n');

      const { output } = await run(processes, programsOf(subject).copiesInput(), { input });

      assert.ok(input.equals(Buffer.from(output)));
    },
  },
  {
    name: 'without input there is nothing to read',
    run: async (processes, subject) => {
      const { end, output } = await run(processes, programsOf(subject).copiesInput());

      assert.deepEqual(end, exited(0));
      assert.equal(output, '');
    },
  },
  {
    name: 'input that the program does not want is no error',
    run: async (processes, subject) => {
      const { end } = await run(processes, programsOf(subject).exits(0), { input: new Uint8Array(2 ** 20) });

      assert.deepEqual(end, exited(0));
    },
  },
  {
    name: 'arguments arrive as they are, empty ones and odd characters too',
    run: async (processes, subject) => {
      const words = ['', 'two words', "it's", '"quoted"', '$HOME *', 'ü→€', '-n'];

      const { output } = await run(processes, programsOf(subject).printsArguments(...words));

      assert.equal(output, words.map((word) => `${word}\n`).join(''));
    },
  },
  {
    name: 'a given environment replaces the agent’s',
    run: async (processes, subject) => {
      const { output } = await run(processes, programsOf(subject).printsEnvironment(), { environment: ['A=1', 'EMPTY=', 'EQUALS=a=b'] });

      assert.deepEqual(output.split('\n').toSorted(), ['', 'A=1', 'EMPTY=', 'EQUALS=a=b']);
    },
  },
  {
    name: 'an empty environment is none',
    run: async (processes, subject) => {
      const { output } = await run(processes, programsOf(subject).printsEnvironment(), { environment: [] });

      assert.equal(output, '');
    },
  },
  {
    name: 'without an environment the program has the agent’s',
    run: async (processes, subject) => {
      const { output } = await run(processes, programsOf(subject).printsEnvironment());

      assert.match(output, /^PATH=/mu);
    },
  },
  {
    name: 'a name without a separator is looked for in the search path',
    run: async (processes, subject) => {
      const { output } = await run(processes, programsOf(subject).byName('found by name'));

      assert.equal(output, 'found by name\n');
    },
  },
  {
    name: 'the search path of a given environment counts',
    run: async (processes, subject) => {
      const programs = programsOf(subject);
      await programs.install(`${subject.scratchDirectory}/only-here`, true);
      const environment = [programs.searchPath('/nowhere', subject.scratchDirectory)];

      const { output } = await run(processes, { path: 'only-here', arguments: [] }, { environment });

      assert.equal(output, 'found\n');
    },
  },
];

const refusals: readonly Case[] = [
  {
    name: 'a program that is missing is refused, with a path and without (ENOENT)',
    run: async (processes, subject) => {
      await failsWithCode(subject, 'ENOENT', () => run(processes, { path: `${subject.scratchDirectory}/missing`, arguments: [] }));
      // A PATH of its own: where one entry may not be searched, a system may say EACCES of a name that none has.
      const environment = [`PATH=${subject.scratchDirectory}`];
      await failsWithCode(subject, 'ENOENT', () => run(processes, { path: 'no-such-program-anywhere', arguments: [] }, { environment }));
    },
  },
  {
    name: 'a file that may not be executed is refused (EACCES)',
    run: async (processes, subject) => {
      const path = `${subject.scratchDirectory}/not-executable`;
      await programsOf(subject).install(path, false);

      await failsWithCode(subject, 'EACCES', () => run(processes, { path, arguments: [] }));
    },
  },
  {
    name: 'a directory is no program (EACCES)',
    run: async (processes, subject) => {
      await failsWithCode(subject, 'EACCES', () => run(processes, { path: subject.scratchDirectory, arguments: [] }));
    },
  },
  {
    name: 'a file that is no program is refused (ENOEXEC)',
    run: async (processes, subject) => {
      const path = `${subject.scratchDirectory}/garbage`;
      await subject.scratch.write(path, Uint8Array.of(0, 1, 2, 3), 0o755);

      await failsWithCode(subject, 'ENOEXEC', () => run(processes, { path, arguments: [] }));
    },
  },
  {
    name: 'arguments that are too long are refused (E2BIG)',
    run: async (processes, subject) => {
      await failsWithCode(subject, 'E2BIG', () => run(processes, programsOf(subject).printsArguments('x'.repeat(2 ** 22))));
    },
  },
];

const needPrograms = (cases: readonly Case[]): readonly Case[] =>
  cases.map((one) => ({
    ...one,
    skip: (subject) => (subject.knows.programs === undefined ? 'needs programs to run' : one.skip?.(subject)),
  }));

export const processContract = contractGroup('processes', (backend) => backend.processes, needPrograms([...ends, ...streams, ...surroundings, ...refusals]));

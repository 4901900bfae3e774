// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';

import { FakeClock } from '../../../adapters/fake/clock.ts';
import { readLegacy } from '../../../core/legacy.ts';
import type { ProcessEnd, Processes, RunningProcess } from '../../../core/ports/index.ts';
import {
  MAX_FINISHED, MAX_INPUT_OF_ALL, MAX_OUTPUT_OF_ALL, MAX_RUNNING, ProcessTable, SEEN_RESULT_MS, UNSEEN_RESULT_MS,
} from '../../../core/state/processes.ts';

/** Processes that write and end when the test says so, with the numbers that it gives them. */
class ScriptedProcesses implements Processes {
  readonly canMerge = true;
  readonly started: Scripted[] = [];
  nextPid = 1;

  spawn(): Promise<RunningProcess> {
    const process = new Scripted(this.nextPid);
    this.nextPid += 1;
    this.started.push(process);
    return Promise.resolve(process);
  }
}

class Scripted implements RunningProcess {
  readonly pid: number;
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly finished = this.#ended.promise;
  write: (stream: 'output' | 'errors', bytes: Uint8Array) => void = () => undefined;

  constructor(pid: number) {
    this.pid = pid;
  }

  onOutput(listener: typeof this.write): void {
    this.write = listener;
  }

  kill(): void {
    this.#ended.resolve({ signal: 9 });
  }

  lose(error: Error): void {
    this.#ended.reject(error);
  }

  async exit(exitCode: number): Promise<void> {
    this.#ended.resolve({ exitCode });
    await this.finished;
  }
}

const request = { path: '/bin/x', arguments: [], output: 'capture', errors: 'capture' } as const;

let clock: FakeClock;
let processes: ScriptedProcesses;
let table: ProcessTable;

beforeEach(() => {
  clock = new FakeClock({ startTime: 0n, realTime: false, hardwareClock: 'absent', maySet: true });
  processes = new ScriptedProcesses();
  table = new ProcessTable(processes, clock);
});

const start = async (pid: number): Promise<Scripted> => {
  processes.nextPid = pid;
  await table.start(request);
  return processes.started.at(-1)!;
};

const startAndExit = async (pid: number, exitCode: number): Promise<Scripted> => {
  const process = await start(pid);
  await process.exit(exitCode);
  return process;
};

describe('a number that comes again', () => {
  it('means the process that runs', async () => {
    await startAndExit(7, 1);
    await start(7);

    expect(table.find(7n)?.end).toBeUndefined();
  });

  it('means the oldest result that nobody has seen, one after the other', async () => {
    await startAndExit(7, 1);
    await startAndExit(7, 2);

    expect(table.find(7n)?.end).toEqual({ exitCode: 1 });
    expect(table.find(7n)?.end).toEqual({ exitCode: 2 });
    expect(table.find(7n)?.end).toEqual({ exitCode: 2 });
  });

  it('no longer means a result that was seen', async () => {
    await startAndExit(7, 1);
    table.find(7n);
    await startAndExit(7, 2);

    expect(table.find(7n)?.end).toEqual({ exitCode: 2 });
    expect(table.size).toBe(1);
  });
});

describe('results', () => {
  it('that nobody asks for go after hours, when the next one is asked for or started', async () => {
    await startAndExit(1, 0);
    await clock.advance(UNSEEN_RESULT_MS - 1);
    expect(table.size).toBe(1);

    await clock.advance(1);
    const other = await startAndExit(2, 0);
    table.find(BigInt(other.pid));
    await clock.advance(SEEN_RESULT_MS);

    expect(table.size).toBe(0);
  });

  it('that were seen go after a minute by themselves, and leave no timer behind', async () => {
    await startAndExit(1, 0);
    await startAndExit(2, 0);
    expect(clock.waitingTimers).toBe(0);
    table.find(1n);
    await clock.advance(30_000);
    table.find(2n);
    expect(clock.waitingTimers).toBe(1);

    await clock.advance(30_000);
    expect(table.size).toBe(1);
    await clock.advance(30_000);
    expect(table.size).toBe(0);
    expect(clock.waitingTimers).toBe(0);
  });

  it('are no more than the limit: those that were seen go first, then the oldest', async () => {
    await startAndExit(1, 0);
    await startAndExit(2, 0);
    table.find(2n);
    for (let pid = 3; pid <= MAX_FINISHED + 2; pid += 1) await startAndExit(pid, 0);

    expect(table.size).toBe(MAX_FINISHED);
    expect(table.find(2n)).toBeUndefined();
    expect(table.find(1n)).toBeUndefined();
    expect(table.find(3n)).toBeDefined();
  });
});

it('runs no more processes than the limit, until one ends', async () => {
  await Promise.all(Array.from({ length: MAX_RUNNING }, () => table.start(request)));

  await expect(table.start(request)).rejects.toThrow('512 processes are running already');
  await processes.started[100]!.exit(0);
  await expect(table.start(request)).resolves.toBe(MAX_RUNNING + 1);
});

it('owes them no more input than the limit, until one ends', async () => {
  const input = new Uint8Array(MAX_INPUT_OF_ALL / 2);
  await table.start({ ...request, input });
  await table.start({ ...request, input });

  await expect(table.start({ ...request, input: new Uint8Array(1) })).rejects.toThrow('too much input waiting');
  await expect(table.start(request)).resolves.toBe(3);
  await processes.started[0]!.exit(0);
  await expect(table.start({ ...request, input })).resolves.toBe(4);
});

it('keeps the result of a process whose backend cannot say how it ended, without its input', async () => {
  const input = new Uint8Array(MAX_INPUT_OF_ALL);
  await table.start({ ...request, input });
  processes.started[0]!.write('output', Buffer.from('wrote'));

  processes.started[0]!.lose(new Error('no such child'));
  await expect.poll(() => table.find(1n)?.end).toBe('unknown');

  expect(table.find(1n)?.output.length).toBe(5);
  await expect(table.start({ ...request, input })).resolves.toBe(2);
});

describe('output', () => {
  it('beyond 16 MiB is dropped for good, and an empty piece changes nothing', async () => {
    const process = await start(1);
    process.write('output', new Uint8Array());
    process.write('output', new Uint8Array(16 * 1024 * 1024 + 1));

    process.write('output', Buffer.from('more'));
    await process.exit(0);

    expect(table.find(1n)!.output).toMatchObject({ length: 16 * 1024 * 1024, truncated: true });
  });

  it('is kept in order, however it comes', async () => {
    const process = await start(1);
    const text = 'abcdefghij'.repeat(10_000);
    for (let at = 0, size = 1; at < text.length; at += size, size = (size * 7) % 5003) {
      process.write('output', Buffer.from(text.slice(at, at + size)));
    }

    const output = table.find(1n)!.output;
    expect(Buffer.concat([...output.pieces()]).toString()).toBe(text);
    expect(output.truncated).toBe(false);
  });

  it('of all processes together is bounded: old results go first, then new output is cut', async () => {
    const piece = Buffer.alloc(8 * 1024 * 1024);
    const old = await start(1);
    old.write('output', piece);
    await old.exit(0);
    const each = 2 * 16 * 1024 * 1024;
    const busy = await Promise.all(Array.from({ length: MAX_OUTPUT_OF_ALL / each }, (_, index) => start(index + 2)));

    const writers = processes.started.slice(1);
    for (const process of writers) for (const stream of ['output', 'errors'] as const) for (let n = 0; n < 2; n += 1) process.write(stream, piece);
    const late = await start(100);
    late.write('output', Buffer.from('x'));

    expect(busy).toHaveLength(8);
    expect(table.find(1n)).toBeUndefined();
    expect(table.find(100n)?.output).toMatchObject({ length: 0, truncated: true });
    await writers[0]!.exit(0);
    late.write('errors', Buffer.from('y'));
    expect(table.find(100n)?.errors).toMatchObject({ length: 1, truncated: false });
  });
});

describe('what is left to the next agent', () => {
  it('is nothing where nothing outlives an agent: then it waits until all is forgotten', async () => {
    expect(table.isQuiet).toBe(true);
    const process = await start(5);
    expect(table.isQuiet).toBe(false);
    await process.exit(0);
    expect(table.isQuiet).toBe(false);

    table.find(5n);
    await clock.advance(SEEN_RESULT_MS);

    expect(table.isQuiet).toBe(true);
  });

  it('is forgotten with the result, also where it is not to be known how a program ended', async () => {
    const forgotten: number[] = [];
    const forgetful = async (pid: number): Promise<Scripted> => {
      const spawn = processes.spawn.bind(processes);
      processes.spawn = async () => Object.assign(await spawn(), { forget: () => void forgotten.push(pid) });
      return start(pid);
    };
    const seen = await forgetful(5);
    await seen.exit(0);
    table.find(5n);
    const lost = await forgetful(6);

    lost.lose(new Error('gone'));
    await expect.poll(() => table.find(6n)?.end).toBe('unknown');
    await clock.advance(SEEN_RESULT_MS);

    expect(forgotten.length).toBe(2);
    expect(forgotten).toContain(5);
    expect(table.isQuiet).toBe(true);
  });

  it('says nothing of a freeze where what was left is of another age', () => {
    expect(readLegacy('{"format": 0, "freezeReport": 1}')).toEqual({});
  });
});

// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helperOutcome, helperOutputLimit, runHelperProgram } from '../../../adapters/linux/programs/helper-program.ts';
import { scratchDirectory, script } from './support/scratch.ts';

const helper = (body: string): { program: string; arguments: string[]; action: string } => ({
  program: script(join(scratchDirectory(), 'helper'), body),
  arguments: [],
  action: 'shutdown',
});

/** Processes with a word among their arguments. */
const withWord = (word: string): readonly string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(word);
    } catch {
      return false;
    }
  });

describe('a helper program', () => {
  it('answers what it printed to both streams', async () => {
    expect(await runHelperProgram(helper('echo out; echo err >&2'))).toBe('out\nerr\n');
  });

  it('reads its input', async () => {
    expect(await runHelperProgram({ program: 'cat', arguments: [], action: 'read', input: Buffer.from('user:word\n') })).toBe('user:word\n');
  });

  it.each([
    ['exits with output', 'echo no power; exit 1', 'child process has failed to shutdown: no power\n'],
    ['exits without output', 'exit 7', 'child process has failed to shutdown: exit status 7'],
    ['is killed without output', 'kill -9 $$', 'child process has terminated abnormally'],
    ['is killed after output', 'echo last words; kill -9 $$', 'child process has terminated abnormally: last words\n'],
  ])('fails in the words of the reference when it %s', async (_how, body, text) => {
    await expect(runHelperProgram(helper(body))).rejects.toMatchObject({ kind: 'failed', message: text });
  });

  it('fails in the words of the reference when it is missing', async () => {
    const running = runHelperProgram({ program: '/nonexistent/hook', arguments: [], action: 'execute fsfreeze hook' });

    await expect(running).rejects.toMatchObject({
      message: "child process has failed to execute fsfreeze hook: failed to exec '/nonexistent/hook': No such file or directory\n",
    });
  });

  it('keeps the beginning of endless output and says that it was cut', async () => {
    const { output, error } = await helperOutcome(helper('head -c 1000000 /dev/zero | tr "\\0" x'));

    expect(error).toBeUndefined();
    expect(output).toBe(`${'x'.repeat(helperOutputLimit)}\n[cut after ${helperOutputLimit} bytes]`);
  });

  it('is not waited for any longer than itself when a daemon keeps its output', async () => {
    const { output, error } = await helperOutcome(helper('sleep 600 & echo $!'));

    expect(error).toBeUndefined();
    process.kill(Number(output), 'SIGKILL');
  });

  it('lets what it has started in the background write on after its end', async () => {
    const directory = scratchDirectory();
    execFileSync('mkfifo', [join(directory, 'go')]);

    const output = await runHelperProgram(helper(`(read line <${directory}/go; echo late; touch ${directory}/lived) & echo started`));
    writeFileSync(join(directory, 'go'), 'now\n');

    expect(output).toBe('started\n');
    await expect.poll(() => existsSync(join(directory, 'lived'))).toBe(true);
  });

  it.each([
    ['a child', 'sleep 600 &'],
    ['a child in a session of its own', 'setsid sleep 600 &'],
    ['a child of a child that is gone, in a session of its own', '(setsid sleep 600 &) &'],
    ['a child of a session leader that is gone', 'setsid sh -c "sleep 600 & kill -9 \\$\\$" &'],
    ['a child in a session of its own without the environment', 'env -i setsid sleep 600 &'],
  ])('takes %s along at its time limit', async (_what, start) => {
    const marker = `600.${process.pid}${Math.trunc(Math.random() * 1e9)}`;
    const body = `${start.replace('600', marker)}\nexec sleep ${marker}`;

    const outcome = helperOutcome({ ...helper(body), timeLimitMs: 2000 });
    await expect.poll(() => withWord(marker).length, { timeout: 20_000 }).toBe(2);
    const { error } = await outcome;

    expect(error).toContain('killed after its time limit of 2 s');
    await expect.poll(() => withWord(marker)).toEqual([]);
  });

  it('is killed with its children at its time limit', async () => {
    const outcome = await helperOutcome({ ...helper('echo begun; sleep 600'), timeLimitMs: 50 });

    expect(outcome.error).toBe(`child process has failed to shutdown: killed after its time limit of 0.05 s${outcome.output === '' ? '' : ': begun\n'}`);
  });
});

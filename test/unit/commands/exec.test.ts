// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import type { ProgramFunction } from '../../../adapters/fake/programs.ts';
import { nobody } from '../../../core/state/caller.ts';
import { execStatus } from '../../../core/commands/exec.ts';
import type { PreparedAnswer } from '../../../core/commands/command.ts';
import type { RunningProcess } from '../../../core/ports/processes.ts';
import { contextOf, exchange, guest, piecesOf } from './support/exchange.ts';

const withProgram = (program: ProgramFunction) => guest({ files: { '/bin/program': { program } } });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function run(host: ReturnType<typeof guest>, args: object): Promise<string> {
  const pid = (JSON.parse(await host.ask('guest-exec', args)) as { pid: number }).pid;
  await settled();
  await settled();
  return host.ask('guest-exec-status', { pid });
}

describe('guest-exec', () => {
  it('answers the process number', async () => {
    expect(await guest().ask('guest-exec', { path: '/bin/true' })).toBe('{"pid": 1200}');
  });

  it.each([
    ['/bin/invalid-cmd42', 'No such file or directory'],
    ['invalid-cmd42', 'No such file or directory'],
    ['', 'No such file or directory'],
    ['/tmp', 'Permission denied'],
    ['/etc/motd', 'Permission denied'],
  ])('says that %j could not be executed: %s', async (path, reason) => {
    expect(await guest().ask('guest-exec', { path })).toBe(`error: Failed to execute child process “${path}” (${reason})`);
  });

  it.each([
    [{ path: '/bin/true', arg: ['a', 'b\0c'] }, 'arg[1]'],
    [{ path: '/bin/true\0' }, 'path'],
    [{ path: '/bin/true', env: ['A=\0'] }, 'env[0]'],
  ])('refuses a zero byte in %j', async (args, name) => {
    expect(await guest().ask('guest-exec', args)).toBe(`error: Parameter '${name}' contains a zero byte`);
  });

  it('refuses input that is not base64', async () => {
    expect(await guest().ask('guest-exec', { path: '/bin/cat', 'input-data': '***' }))
      .toBe('error: Base64 data contains invalid characters');
  });

  it('names the program alone in the accounting log', async () => {
    const host = guest();

    await host.ask('guest-exec', { path: '/bin/echo', arg: ['secret'], env: ['PASSWORD=secret'], 'input-data': base64('secret') });

    expect(host.log.texts()).toEqual(['guest-exec called: "/bin/echo"']);
  });

  it.each([
    [undefined, 'discard', 'discard'], [false, 'discard', 'discard'], ['none', 'discard', 'discard'],
    [true, 'capture', 'capture'], ['separated', 'capture', 'capture'],
    ['stdout', 'capture', 'discard'], ['stderr', 'discard', 'capture'], ['merged', 'capture', 'merge'],
  ])('with capture-output %j asks for output: %s, errors: %s', async (mode, output, errors) => {
    const host = guest();

    await host.ask('guest-exec', { path: '/bin/true', 'capture-output': mode });

    expect(host.machine.processes.list[0]?.request).toMatchObject({ output, errors });
  });

  it('knows no mode merged where the system cannot merge', async () => {
    const { machine } = guest();
    const context = contextOf({ processes: { canMerge: false, spawn: (request) => machine.processes.spawn(request) } });

    expect(await exchange(context, 'guest-exec', '{"path": "/bin/true", "capture-output": "merged"}'))
      .toBe("error: Parameter 'capture-output' does not accept value 'merged'");
    expect(machine.processes.list).toEqual([]);
  });

  it('tells an empty environment from none, and an empty input from none', async () => {
    const host = guest();

    await host.ask('guest-exec', { path: '/bin/true' });
    await host.ask('guest-exec', { path: '/bin/true', env: [], 'input-data': '' });

    const [inherited, empty] = host.machine.processes.list.map(({ request }) => request);
    expect(inherited).not.toHaveProperty('environment');
    expect(inherited).not.toHaveProperty('input');
    expect(empty).toMatchObject({ environment: [], input: { length: 0 } });
  });
});

describe('guest-exec-status', () => {
  it.each([
    ['an exit', () => 3, '{"exitcode": 3, "exited": true}'],
    ['a signal', () => ({ signal: 9 }), '{"signal": 9, "exited": true}'],
    ['output', ({ print }) => print('hi\n'),
      '{"exitcode": 0, "out-data": "aGkK", "out-truncated": false, "exited": true}'],
    ['errors alone', ({ complain }) => complain('e\n'),
      '{"exitcode": 0, "err-data": "ZQo=", "err-truncated": false, "exited": true}'],
    ['both and a signal', ({ print, complain }) => { print('out1\nout2\n'); complain('err1\n'); return { signal: 15 }; },
      '{"err-data": "ZXJyMQo=", "out-data": "b3V0MQpvdXQyCg==", "err-truncated": false, "signal": 15, "out-truncated": false, "exited": true}'],
    ['bytes that are no text', ({ print }) => print(Uint8Array.of(0, 255, 10)),
      '{"exitcode": 0, "out-data": "AP8K", "out-truncated": false, "exited": true}'],
    ['input', ({ input, print }) => print(input),
      '{"exitcode": 0, "out-data": "bGluZTEKbGluZTIA/w==", "out-truncated": false, "exited": true}'],
  ] as [string, ProgramFunction, string][])('reports %s', async (_what, program, expected) => {
    const args = { path: '/bin/program', 'capture-output': true, 'input-data': 'bGluZTEKbGluZTIA/w==' };

    expect(await run(withProgram(program), args)).toBe(expected);
  });

  it('says no more than that it has ended, and what it wrote, where nobody can tell how', async () => {
    const unknown = (pid: number, output: string): RunningProcess => ({
      pid,
      onOutput: (listener) => listener('output', Buffer.from(output)),
      finished: Promise.reject(new Error('nobody can tell')),
      kill: () => undefined,
    });
    const context = contextOf({});
    context.processes.takeOver(unknown(1, 'hi\n'));
    context.processes.takeOver(unknown(2, ''));
    await settled();

    expect(await exchange(context, 'guest-exec-status', '{"pid": 1}')).toBe('{"out-data": "aGkK", "out-truncated": false, "exited": true}');
    expect(await exchange(context, 'guest-exec-status', '{"pid": 2}')).toBe('{"exited": true}');
    expect(context.log.texts()).toEqual(['guest-exec-status called, pid: 1: ended', 'guest-exec-status called, pid: 2: ended']);
  });

  it('says only that it runs while it does', async () => {
    const host = withProgram(async ({ print, sleep }) => { print('early'); await sleep(1000); });

    expect(await run(host, { path: '/bin/program', 'capture-output': true })).toBe('{"exited": false}');
    await host.machine.clock.advance(1000);
    expect(await host.ask('guest-exec-status', { pid: 1200 }))
      .toBe(`{"exitcode": 0, "out-data": "${base64('early')}", "out-truncated": false, "exited": true}`);
  });

  it.each(['4711', '-1', '9223372036854775807'])('names the number %s of a process that was never started', async (pid) => {
    expect(await guest().ask('guest-exec-status', `{"pid": ${pid}}`)).toBe(`error: PID ${pid} does not exist`);
  });

  it('gives the same answer again for a minute, then forgets', async () => {
    const host = withProgram(({ print }) => print('x'));
    const first = await run(host, { path: '/bin/program', 'capture-output': true });

    await host.machine.clock.advance(59_000);
    const again = await host.ask('guest-exec-status', { pid: 1200 });
    await host.machine.clock.advance(1000);
    const late = await host.ask('guest-exec-status', { pid: 1200 });

    expect(again).toBe(first);
    expect(late).toBe('error: PID 1200 does not exist');
  });

  it('is silent in the log while a process runs, so that polling fills no disk', async () => {
    const host = withProgram(({ sleep }) => sleep(10));
    await run(host, { path: '/bin/program' });

    expect(host.log.texts()).toEqual(['guest-exec called: "/bin/program"']);
    await host.machine.clock.advance(10);
    await host.ask('guest-exec-status', { pid: 1200 });
    expect(host.log.texts().at(-1)).toBe('guest-exec-status called, pid: 1200: exit code 0');
  });

  it.each([[16_777_215, 16_777_215, false], [16_777_216, 16_777_216, false], [16_777_217, 16_777_216, true], [17_825_792, 16_777_216, true]])(
    'of a process that wrote %d bytes has %d of them, truncated: %s',
    async (written, kept, truncated) => {
      const host = withProgram(({ print }) => {
        const piece = Buffer.alloc(1 << 20, 'abc');
        for (let left = written; left > 0; left -= piece.length) print(piece.subarray(0, Math.min(left, piece.length)));
      });
      await host.ask('guest-exec', { path: '/bin/program', 'capture-output': 'stdout' });
      await settled();
      await settled();

      const pieces = await piecesOf(await execStatus.run(host.context, { pid: 1200n }, nobody) as PreparedAnswer);

      const { 'out-data': data, ...rest } = JSON.parse(pieces.join('')) as { 'out-data': string };
      expect(rest).toEqual({ exitcode: 0, 'out-truncated': truncated, exited: true });
      expect(Buffer.from(data, 'base64').length).toBe(kept);
      expect(pieces.every(({ length }) => length <= 262_144)).toBe(true);
    },
  );
});

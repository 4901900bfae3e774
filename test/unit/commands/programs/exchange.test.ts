// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../../adapters/fake/clock.ts';
import { PreparedAnswer } from '../../../../core/commands/command.ts';
import { execExchange } from '../../../../core/commands/programs.ts';
import { nobody } from '../../../../core/state/caller.ts';
import { conciergeExecExchange } from '../../../../core/schema/programs.ts';
import { encodeResult } from '../../../../core/schema/encode.ts';
import { Base64Text } from '../../../../core/schema/types.ts';
import { base64, conversing, text } from './support.ts';

const quiet = { 'input-accepted': 0, 'input-ended': false, 'output-offset': 0, 'output-ended': false, 'errors-offset': 0, 'errors-ended': false, exited: false };

describe('an exchange', () => {
  it('brings input and fetches what comes of it', async () => {
    const { start, begin } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });

    const answer = await begin(program, { input: base64('hello') });

    expect(answer).toEqual({ ...quiet, 'input-accepted': 5, output: base64('hello') });
  });

  it('answers in the order and form of the schema', async () => {
    const { start, say } = conversing({ files: { '/bin/both': { program: ({ print, complain }) => { print('out'); complain('err'); return 3; } } } });
    const program = await start('/bin/both');

    const answer = await say('exchange', { program });

    expect(answer).toBe(encodeResult(conciergeExecExchange.result, JSON.parse(answer), 'exchange'));
    expect(JSON.parse(answer)).toEqual({
      'input-accepted': 0, 'input-ended': true, output: base64('out'), 'output-offset': 0, 'output-ended': true,
      errors: base64('err'), 'errors-offset': 0, 'errors-ended': true, exited: true, exitcode: 3,
    });
  });

  it('tells how a program has ended, once more as often as it is asked', async () => {
    const { start, now, machine } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    machine.processes.signal(1200, 15);
    await settled();

    const answers = [await now(program), await now(program)];

    expect(answers).toEqual([0, 1].map(() => ({ ...quiet, 'input-ended': true, 'output-ended': true, 'errors-ended': true, exited: true, signal: 15 })));
  });

  it('answers the same bytes again until the host says that it has seen them', async () => {
    const { start, begin, now } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    await begin(program, { input: base64('abcdef') });

    const again = await now(program);
    const rest = await now(program, { 'output-offset': 4 });
    const oldest = await now(program);

    expect([again, rest, oldest].map((one) => [one['output-offset'], text(one.output)])).toEqual([[0, 'abcdef'], [4, 'ef'], [4, 'ef']]);
  });

  it('takes input once, however often it is brought', async () => {
    const { start, begin, now } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });

    await begin(program, { input: base64('abc'), 'input-offset': 0 });
    await now(program, { input: base64('abc'), 'input-offset': 0 });
    await now(program, { input: base64('bcde'), 'input-offset': 1 });
    await settled();

    expect(text((await now(program)).output)).toBe('abcde');
  });

  it('ends the input, and a repeat of that is harmless', async () => {
    const { start, begin, now } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });

    await begin(program, { input: base64('abc'), 'input-offset': 0, 'end-of-input': true });
    await settled();
    const again = await now(program, { input: base64('abc'), 'input-offset': 0, 'end-of-input': true });

    expect(again).toEqual({
      ...quiet, 'input-accepted': 3, 'input-ended': true, output: base64('abc'), 'output-ended': true, 'errors-ended': true, exited: true, exitcode: 0,
    });
  });

  it('passes over what a program does not want to read any more', async () => {
    const { start, now } = conversing();
    const program = await start('/bin/true', { stdin: 'open' });
    await settled();

    const answer = await now(program, { input: base64('abc') });

    expect(answer).toMatchObject({ 'input-accepted': 3, 'input-ended': true, exited: true });
  });

  it('passes it over, too, where the system knows first that nobody reads', async () => {
    const { start, now, machine } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    machine.processes.signal(1200, 9);

    expect(await now(program, { input: base64('abc') })).toMatchObject({ 'input-accepted': 3, 'input-ended': true, exited: false });
  });

  it('takes long input as the decoder brings it', async () => {
    const { start, context, now } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    const pieces = [Buffer.from('hello......')];

    const answer = await execExchange.run(context, { program: BigInt(program), input: new Base64Text(pieces, 5, ''), 'wait-ms': 0n }, nobody);
    await settled();

    expect(answer).toBeInstanceOf(PreparedAnswer);
    expect(text((await now(program)).output)).toBe('hello');
  });

  it('cuts an answer to its size, and says nothing has ended while more is to come', async () => {
    const { start, now } = conversing();
    const program = await start('/bin/echo', { arg: ['-n', 'abcdef'] });

    const first = await now(program, { size: 4 });
    const second = await now(program, { size: 4, 'output-offset': 4 });

    expect([first, second].map((one) => [text(one.output), one['output-ended']])).toEqual([['abcd', false], ['ef', true]]);
  });

  it('fetches a MiB at a time where it is asked to, and gives the memory back afterwards', async () => {
    const { start, now, begin, machine } = conversing();
    const program = await start('/bin/yes');
    let offset = 0;
    const lengths: number[] = [];

    for (let round = 0; round < 40; round += 1) {
      const answer = await now(program, { size: 1024 * 1024, 'output-offset': offset });
      lengths.push(Buffer.from(answer.output ?? '', 'base64').length);
      offset += lengths.at(-1) ?? 0;
      await settled();
    }
    machine.processes.signal(1200, 9);
    await settled();
    const last = await now(program, { 'output-offset': offset, size: 1024 * 1024 });
    const waited = begin(program, { 'output-offset': offset + Buffer.from(last.output ?? '', 'base64').length });
    await machine.clock.advance(200);

    expect(Math.max(...lengths)).toBeGreaterThan(60_000);
    expect((await waited)['output-ended']).toBe(true);
  });
});

describe('an exchange that waits', () => {
  it('waits until there is output', async () => {
    const { start, begin, machine } = conversing({ files: { '/bin/late': { program: async ({ sleep, print }) => { await sleep(50); print('late'); await sleep(1000); } } } });
    const program = await start('/bin/late');
    let answered = false;
    const answer = begin(program).finally(() => { answered = true; });

    await machine.clock.advance(49);
    const before = answered;
    await machine.clock.advance(1);

    expect(before).toBe(false);
    expect(answered).toBe(true);
    expect(text((await answer).output)).toBe('late');
  });

  it('waits 200 ms where nothing comes and nothing else is said, and leaves no timer behind', async () => {
    const { start, begin, now, machine } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    await now(program);
    let answered = false;
    const answer = begin(program).finally(() => { answered = true; });

    await machine.clock.advance(199);
    const before = answered;
    await machine.clock.advance(1);

    expect(before).toBe(false);
    expect(await answer).toEqual(quiet);
    expect(machine.clock.waitingTimers).toBe(0);
  });

  it('ends when the program ends, and when its streams do', async () => {
    const { start, begin, machine } = conversing({ files: { '/bin/leaves': { program: async ({ sleep, leaveChild }) => {
      const close = leaveChild();
      void sleep(100).then(close);
      await sleep(50);
    } } } });
    const program = await start('/bin/leaves');

    const first = begin(program, { 'wait-ms': 10_000 });
    await machine.clock.advance(50);
    const second = begin(program, { 'wait-ms': 10_000 });
    await machine.clock.advance(50);

    expect(await first).toMatchObject({ exited: true, exitcode: 0, 'output-ended': false });
    expect(await second).toMatchObject({ exited: true, 'output-ended': true, 'errors-ended': true });
  });

  it('goes on handing over input while the program takes it, and ends then where it is for the input', async () => {
    const { start, begin, machine } = conversing({ files: { '/bin/slow': { program: async ({ sleep, read }) => {
      for (;;) {
        await sleep(10);
        await read();
      }
    } } } });
    const program = await start('/bin/slow', { stdin: 'open' });
    const input = base64(Buffer.alloc(200_000, 'x'));

    const answer = begin(program, { input, 'wait-ms': 10_000, 'wait-for': 'input' });
    await machine.clock.advance(100);

    expect(await answer).toEqual({ ...quiet, 'input-accepted': 200_000 });
  });

  it('answers at once where it is for the input, and that was taken', async () => {
    const { start, begin } = conversing({ files: { '/bin/slow': { program: async ({ sleep }) => sleep(1000) } } });
    const program = await start('/bin/slow', { stdin: 'open' });

    expect(await begin(program, { input: base64('x'), 'wait-for': 'input' })).toEqual({ ...quiet, 'input-accepted': 1 });
  });

  it('gives way to whatever the host says next', async () => {
    const { start, begin, host } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    const answer = begin(program, { 'wait-ms': 10_000 });
    await settled();

    host.saysMore();

    expect(await answer).toEqual(quiet);
  });

  it('ends when its host leaves', async () => {
    const { start, begin, host, machine } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    const answer = begin(program, { 'wait-ms': 10_000 });
    await settled();

    host.leave();

    expect(await answer).toEqual(quiet);
    expect(machine.clock.waitingTimers).toBe(0);
  });

  it('serves two hosts of one program', async () => {
    const { start, begin } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });

    const answers = await Promise.all([begin(program), begin(program, { input: base64('x') })]);

    expect(answers.map(({ output }) => text(output))).toEqual(['x', 'x']);
  });
});

describe('an exchange for large pieces', () => {
  it('gives a program that has begun to write a moment to write more', async () => {
    const { start, begin, machine } = conversing({ files: { '/bin/drips': { program: async ({ sleep, print }) => {
      for (const piece of ['a', 'b', 'c']) {
        print(piece);
        await sleep(0.4);
      }
      await sleep(1000);
    } } } });
    const program = await start('/bin/drips');

    const answer = begin(program, { size: 1024 * 1024 });
    await machine.clock.advance(1);
    const next = begin(program, { size: 1024 * 1024, 'output-offset': 3 });
    await machine.clock.advance(200);

    expect(text((await answer).output)).toBe('abc');
    expect(await next).toMatchObject({ 'output-offset': 3, exited: false });
  });

  it('gives the memory back when nothing comes any more, and loses no place by that', async () => {
    const { start, now, begin, machine } = conversing({ files: { '/bin/bursts': { program: async ({ sleep, print }) => {
      print('x'.repeat(300_000));
      await sleep(1000);
      print('end');
      await sleep(1000);
    } } } });
    const program = await start('/bin/bursts');
    let offset = 0;
    for (let length = 1; length > 0; offset += length) {
      length = text((await now(program, { size: 1024 * 1024, 'output-offset': offset })).output).length;
      await settled();
    }

    const idle = begin(program, { size: 1024 * 1024, 'output-offset': offset });
    await machine.clock.advance(200);
    await machine.clock.advance(1_000_000);
    const last = await now(program, { 'output-offset': offset });

    expect(offset).toBe(300_000);
    expect(await idle).toMatchObject({ 'output-offset': 300_000, exited: false });
    expect(text(last.output)).toBe('end');
  });
});

describe('a program that is not waited for (keep: latest)', () => {
  it('goes on, and its last bytes are kept, with a note of what was lost', async () => {
    const { start, now } = conversing({ files: { '/bin/count': { program: ({ print, complain }) => {
      for (let line = 0; line < 100; line += 1) print(`${line}`.padStart(9) + '\n');
      complain('0123456789');
    } } } });
    const program = await start('/bin/count', { keep: 'latest', 'keep-bytes': 10 });
    await settled();

    const answer = await now(program, { 'output-offset': 0, 'errors-offset': 5 });
    const other = await now(program);

    expect(answer).toMatchObject({ output: base64('       99\n'), 'output-offset': 990, 'output-lost': 990, 'output-ended': true, errors: base64('56789'), 'errors-offset': 5, exited: true });
    expect(answer).not.toHaveProperty('errors-lost');
    expect(other).toMatchObject({ 'output-offset': 990, 'errors-offset': 5 });
    expect(other).not.toHaveProperty('output-lost');
  });

  it('keeps up to 1 MiB of a flood, and others get their turn', async () => {
    const { start, now, machine } = conversing();
    const program = await start('/bin/yes', { keep: 'latest', 'keep-bytes': 1024 * 1024 });
    for (let round = 0; round < 60; round += 1) {
      await settled();
      await machine.clock.advance(1);
    }
    machine.processes.signal(1200, 9);
    await machine.clock.advance(1);

    const answer = await now(program, { size: 1024 * 1024, 'output-offset': 0 });

    expect(Buffer.from(answer.output ?? '', 'base64').length).toBe(1024 * 1024);
    expect(answer['output-lost']).toBe(answer['output-offset']);
  });

  it('is read in turns where it writes much at once', async () => {
    const { start, begin, machine } = conversing({ files: { '/bin/burst': { program: ({ print }) => print(Buffer.alloc(3_000_000, 'x')) } } });
    const program = await start('/bin/burst', { keep: 'latest' });
    const first = await begin(program, { 'output-offset': 0 });
    await machine.clock.advance(1);

    expect(first['output-offset']).toBeLessThan(3_000_000 - 65_536);
    expect((await begin(program))['output-offset']).toBe(3_000_000 - 65_536);
  });

  it('tells a host that waits', async () => {
    const { start, begin } = conversing();
    const program = await start('/bin/cat', { stdin: 'open', keep: 'latest' });

    expect(text((await begin(program, { input: base64('x'), 'wait-ms': 10_000 })).output)).toBe('x');
  });
});

describe('an exchange refuses', () => {
  const mebibyte = Buffer.alloc(1024 * 1024 + 1).toString('base64');

  it.each([
    ['output from offset 7 on is not written yet: there are 6 bytes', { 'output-offset': 7 }],
    ['errors from offset 1 on is not written yet: there are 0 bytes', { 'errors-offset': 1 }],
    ['output from offset 1 on is forgotten: it is kept from 2 on', { 'output-offset': 1 }],
    ["value '-1' is invalid for argument output-offset: from 0 to 9007199254740991", { 'output-offset': -1 }],
    ["value '4611686018427388000' is invalid for argument errors-offset: from 0 to 9007199254740991", { 'errors-offset': 2 ** 62 }],
    ['the input from offset 7 on would leave a gap: 6 bytes were accepted', { input: base64('x'), 'input-offset': 7 }],
    ['Base64 data contains invalid characters', { input: '***' }],
    ["value '1048577' is invalid for argument input: at most 1048576 bytes", { input: mebibyte }],
    ["value '86400000' is invalid for argument wait-ms: from 0 to 10000", { 'wait-ms': 86_400_000 }],
    ["value '0' is invalid for argument size: from 1 to 1048576", { size: 0 }],
    ["value '1048577' is invalid for argument size: from 1 to 1048576", { size: 2 ** 20 + 1 }],
    ["Parameter 'wait-for' does not accept value 'rain'", { 'wait-for': 'rain' }],
  ])('%s', async (desc, args) => {
    const { start, begin, now, refusal } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    await begin(program, { input: base64('abcdef') });
    await now(program, { 'output-offset': 2 });

    expect(await refusal(program, args)).toBe(`error: ${desc}`);
    expect(await now(program)).toMatchObject({ 'input-accepted': 6, 'output-offset': 2, output: base64('cdef') });
  });

  it('input behind its end', async () => {
    const { start, begin, refusal } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    await begin(program, { input: base64('abc'), 'end-of-input': true });

    expect(await refusal(program, { input: base64('d') })).toBe('error: the input has ended at offset 3');
    expect(await refusal(program, { input: base64('bcd'), 'input-offset': 1 })).toBe('error: the input has ended at offset 3');
  });

  it.each([[{ input: base64('x') }], [{ 'end-of-input': true }]])('%j for a program without input', async (args) => {
    const { start, refusal } = conversing();

    expect(await refusal(await start('/bin/cat'), args)).toBe('error: the program was started without input');
  });

  it('numbers that name no program', async () => {
    const { start, say } = conversing();
    const program = await start('/bin/cat');

    expect(await say('exchange', { program: program + 1 })).toBe(`error: there is no program ${program + 1}`);
    expect(await say('exchange', { program: -1 })).toBe('error: there is no program -1');
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine, type FakeMachine } from '../../../kit/fake/index.ts';
import type { RunningProcess, SpawnRequest } from '../../../kit/index.ts';
import { settled } from '../../../adapters/fake/clock.ts';

async function spawn({ backend }: FakeMachine, request: Pick<SpawnRequest, 'path'> & Partial<SpawnRequest>): Promise<RunningProcess> {
  const running = await backend.processes?.spawn({ arguments: [], output: 'capture', errors: 'capture', ...request });
  if (running === undefined) throw new Error('the machine runs no programs');
  return running;
}

describe('processes of the fake', () => {
  it('sleep in the time of the machine', async () => {
    const machine = createFakeMachine();
    const { pid, finished } = await spawn(machine, { path: 'sleep', arguments: ['1m'] });

    await machine.clock.advance(59_999);
    const before = machine.processes.get(pid)?.end;
    await machine.clock.advance(1);

    expect(before).toBeUndefined();
    expect(await finished).toEqual({ exitCode: 0 });
  });

  it('end by a signal that the test sends', async () => {
    const machine = createFakeMachine();
    const { pid, finished } = await spawn(machine, { path: 'sleep', arguments: ['60'] });

    machine.processes.signal(pid, 15);

    expect(await finished).toEqual({ signal: 15 });
    expect(() => machine.processes.signal(pid, 15)).toThrow('No such process');
  });

  it('run functions that a test registers', async () => {
    const machine = createFakeMachine({
      files: { '/opt/greet': { program: ({ argv, environment, print }) => print(`${argv.join(' ')} ${environment.join(' ')}`) } },
    });
    const running = await spawn(machine, { path: '/opt/greet', arguments: ['you'], environment: ['A=1'] });
    const heard: string[] = [];
    running.onOutput((stream, bytes) => heard.push(`${stream}: ${Buffer.from(bytes).toString()}`));

    await running.finished;

    expect(heard).toEqual(['output: /opt/greet you A=1']);
  });

  it('are aborted when they throw', async () => {
    const machine = createFakeMachine({
      files: { '/opt/crash': { program: () => { throw new Error('bug'); } } },
    });

    expect(await (await spawn(machine, { path: '/opt/crash' })).finished).toEqual({ signal: 6 });
  });

  it('are finished after a grace period though a child holds their output', async () => {
    const machine = createFakeMachine({ files: { '/opt/daemon': { program: ({ leaveChild }) => void leaveChild() } } });
    const running = await spawn(machine, { path: '/opt/daemon' });
    let finished = false;
    const ending = running.finished.then(() => {
      finished = true;
    });

    await settled();
    const before = finished;
    await machine.clock.advance(250);
    await ending;

    expect(before).toBe(false);
  });

  it('do not say anything any more once they are killed', async () => {
    const machine = createFakeMachine({
      files: {
        '/opt/talker': {
          program: async ({ print, sleep }) => {
            print('one');
            await sleep(1000);
            print('two');
          },
        },
      },
    });
    const running = await spawn(machine, { path: '/opt/talker' });
    const heard: string[] = [];
    running.onOutput((_, bytes) => heard.push(Buffer.from(bytes).toString()));
    await settled();

    running.kill();
    await machine.clock.advance(1000);

    expect(await running.finished).toEqual({ signal: 9 });
    expect(heard).toEqual(['one']);
  });
});

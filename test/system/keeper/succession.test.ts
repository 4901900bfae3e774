// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { program as agentProgram } from '../../wire/lib/agent-process.ts';
import { agentOf, ask, asleep, endAll, keptAgent, starts } from './kept-agent.ts';
import { KeeperLab, keeperPath, type ScriptedAgent } from './keeper-lab.ts';

/** Puts another file at the path, as a package manager does: beside it, and then renamed. */
function install(path: string, make: (path: string) => void = (beside) => copyFileSync(keeperPath, beside)): void {
  make(`${path}.new`);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
}

/** Which file a process runs. */
const running = (pid: number): number => statSync(`/proc/${pid}/exe`).ino;

describe('a keeper that is replaced by a new one', () => {
  let lab: KeeperLab;
  let path: string;

  beforeEach(async () => {
    lab = await KeeperLab.begin();
    path = lab.path('concierge-keeper');
    install(path);
  });
  afterEach(() => lab.end());

  const pid = (): number => lab.keeper.pid as number;

  async function first(): Promise<ScriptedAgent> {
    lab.start({ program: path });
    const agent = await lab.next();
    await agent.told();
    return agent.greet();
  }

  async function replace(make?: (path: string) => void): Promise<void> {
    install(path, make);
    lab.keeper.kill('SIGUSR2');
    await until(() => running(pid()) === statSync(path).ino);
  }

  it('is the same process, with all that was held, and the agent is asked to make room', async () => {
    const agent = await first();
    await agent.send('keep one plain a note', ['memory', 'first']);
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    await agent.send('program 5 1000001');
    await agent.send('ended 5 256');
    // Its answer says that all before it has been read.
    await agent.send('keep last plain x', ['memory', 'x']);
    await agent.send('drop last');
    expect(await agent.heard()).toBe('dropped last');
    const before = readdirSync(`/proc/${pid()}/fd`).length;

    await replace();

    expect(await agent.heard()).toBe('renew');
    expect(readdirSync(`/proc/${pid()}/fd`).length).toBe(before);
    await agent.send('keep two plain y', ['memory', 'second']);
    await agent.sleep();
    const next = await lab.next();
    expect(await next.told()).toEqual(['keeper 1 0.1.0 update', 'held one plain a note', 'held listener listener x', 'held two plain y', 'ended 5 1000001 256']);
    expect(await next.read('one', 'content')).toBe('first');
    expect(lab.keeper.exitCode).toBeNull();
  });

  it('while the agent sleeps goes on waiting, and starts one when it is needed', async () => {
    const agent = await first();
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    await agent.sleep();
    await until(() => readFileSync(`/proc/${pid()}/task/${pid()}/children`, 'latin1') === '');

    await replace();
    expect(lab.unexpected).toBe(0);
    const client = connect(lab.path('host.sock')).on('error', () => undefined);

    expect((await (await lab.next()).told())[0]).toBe('keeper 1 0.1.0 input');
    client.destroy();
  });

  it('hears of the death of an agent that the one before has started', async () => {
    const agent = await first();
    await replace();
    expect(await agent.heard()).toBe('renew');

    agent.kill();

    expect((await (await lab.next()).told())[0]).toBe('keeper 1 0.1.0 died signal-9 1');
  });

  it('again and again stays what it is', async () => {
    const agent = await first();
    await agent.send('keep one plain x', ['memory', 'first']);
    for (let turn = 0; turn < 5; turn++) {
      await replace();
      expect(await agent.heard()).toBe('renew');
    }

    await agent.send('drop one');

    expect(await agent.heard()).toBe('dropped one');
  });

  it.each(['', '  two blanks before', 'and behind  ', '   '])('hands a note on as it is: "%s"', async (note) => {
    const agent = await first();
    await agent.send(`keep one plain ${note}`, ['memory', 'first']);

    await replace();
    expect(await agent.heard()).toBe('renew');
    await agent.sleep();

    expect(await (await lab.next()).told()).toEqual(['keeper 1 0.1.0 update', `held one plain ${note}`]);
  });

  it.each([
    ['is missing', (beside: string) => writeFileSync(beside, '')],
    ['is none', (beside: string) => writeFileSync(beside, '#!/bin/sh\nexit 1\n')],
    ['does not know the state of this one', (beside: string) => writeFileSync(beside, '#!/bin/sh\n[ "$2" = 3 ]\n')],
  ])('by one that %s goes on as it is', async (what, make) => {
    const agent = await first();
    const before = running(pid());
    install(path, make);
    if (what === 'is missing') rmSync(path);

    lab.keeper.kill('SIGUSR2');
    await until(() => lab.said.length > 0);

    expect(lab.said).toEqual(['concierge-keeper: the new keeper cannot take the place of this one, which goes on']);
    expect(running(pid())).toBe(before);
    await agent.send('keep one plain x', ['memory', 'first']);
    await agent.send('drop one');
    expect(await agent.heard()).toBe('dropped one');
  });

  it('says which states it knows', () => {
    expect(spawnSync(keeperPath, ['--takes-over', '2']).status).toBe(0);
    expect(spawnSync(keeperPath, ['--takes-over', '1']).status).toBe(1);
  });
});

describe('an update that runs through the agent that it updates', () => {
  afterEach(endAll);

  it('ends with all its output and its status, asked of the new agent', async () => {
    const lab = await KeeperLab.begin();
    const path = lab.path('concierge-keeper');
    install(path);
    const keeper = await keptAgent({ command: [path, '--', agentProgram], words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const old = agentOf(keeper);
    install(join(lab.directory, 'next'));
    const script = `echo unpacking; mv ${lab.path('next')} ${path}; kill -USR2 ${keeper.pid}; sleep 0.5; echo configured; exit 3`;

    const { pid } = (await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', script], 'capture-output': true })) as { pid: number };
    await until(() => starts(keeper) === 2);

    expect(agentOf(keeper)).not.toBe(old);
    expect(running(keeper.pid)).toBe(statSync(path).ino);
    expect(await ask(host, 'guest-exec-status', { pid })).toMatchObject({ exited: true, exitcode: 3, 'out-data': Buffer.from('unpacking\nconfigured\n').toString('base64') });
    host.close();
    await lab.end();
  });

  it('while it sleeps is only noticed by the next agent', async () => {
    const lab = await KeeperLab.begin();
    const path = lab.path('concierge-keeper');
    install(path);
    const keeper = await keptAgent({ command: [path, '--', agentProgram] });
    const host = await keeper.connect();
    await ask(host, 'guest-ping');
    await asleep(keeper);
    const before = starts(keeper);

    install(path);
    keeper.signal('SIGUSR2');
    await until(() => running(keeper.pid) === statSync(path).ino);

    expect(await ask(host, 'guest-sync', { id: 4 })).toBe(4);
    expect(starts(keeper)).toBe(before + 1);
    host.close();
    await lab.end();
  });
});

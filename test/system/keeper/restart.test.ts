// SPDX-License-Identifier: Apache-2.0
import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { KeeperLab, type ScriptedAgent } from './keeper-lab.ts';

/** Whether the kernel tells others than the parent how a process has ended: Linux 6.15 (PIDFD_INFO_EXIT). */
const tellsEnds = ((major, minor) => major > 6 || (major === 6 && minor >= 15))(...(release().split('.').map(Number) as [number, number]));

interface Told {
  readonly said?: Readonly<Record<string, string>>;
  readonly started?: number;
  readonly stopped?: boolean;
}

describe('a keeper of a service that is started anew', () => {
  let lab: KeeperLab;
  let manager: ChildProcess;
  let told: Told[];
  const ofStart = (): readonly number[] => told.flatMap(({ started }) => started ?? []);

  beforeEach(async () => {
    lab = await KeeperLab.begin();
    manager = lab.startAsService();
    told = [];
    createInterface({ input: manager.stdout as NodeJS.ReadableStream }).on('line', (line) => told.push(JSON.parse(line) as Told));
  });
  afterEach(async () => {
    const running = ofStart().filter(isThere);
    manager.stdin?.end();
    if (manager.exitCode === null) await once(manager, 'exit');
    for (const pid of running) end(pid);
    await until(() => !running.some(isThere));
    await lab.end();
  });

  const order = (what: 'restart' | 'stop'): void => void manager.stdin?.write(`${what}\n`);

  /** The next agent, that has been told everything. */
  async function next(): Promise<{ readonly agent: ScriptedAgent; readonly told: readonly string[] }> {
    const agent = await lab.next();
    const all = await agent.told();
    return { agent: await agent.greet(), told: all };
  }

  /** A program that ends when it is asked to, with status 6. */
  async function program(agent: ScriptedAgent, serial: number): Promise<{ readonly pid: number; end(): void }> {
    const go = lab.path(`go-${serial}`);
    agent.order({ do: 'program', script: `${waits(go)}; exit 6` });
    const { program: pid } = (await agent.next()) as { program: number };
    await agent.send(`program ${serial} ${pid}`);
    return { pid, end: () => writeFileSync(go, '') };
  }

  it('hears from the one before how programs have ended and end, and has what belongs to them, over two restarts', async () => {
    const { agent } = await next();
    await agent.send('keep lock plain x', ['memory', 'not of a program']);
    await agent.send('keep program-4-1 plain a note', ['memory', 'output']);
    await agent.send('program 3 1000001');
    await agent.send('ended 3 256');
    const runs = await program(agent, 4);

    order('restart');
    const second = await next();

    expect(second.told).toEqual(['keeper 1 0.1.0 start', 'held program-4-1 plain a note', 'ended 3 1000001 256', `program 4 ${runs.pid}`]);
    expect(await second.agent.read('program-4-1', 'content')).toBe('output');
    await second.agent.send('forget 3');
    order('restart');
    const third = await next();
    expect(third.told).toEqual(['keeper 1 0.1.0 start', 'held program-4-1 plain a note', `program 4 ${runs.pid}`]);
    // The one in the middle had no program of its own.
    await until(() => ofStart().filter(isThere).length === 2);

    runs.end();

    expect(await third.agent.heard()).toBe(`ended 4 ${runs.pid} ${6 << 8}`);
    await until(() => ofStart().filter(isThere).length === 1);
  });

  it('gives the sockets of activation on, and nothing that is its own', async () => {
    const { agent } = await next();
    expect(agent.greeting.listen).toEqual([String(agent.greeting.pid), '1']);
    await program(agent, 1);

    order('restart');

    const second = await next();
    expect(second.agent.greeting.listen).toEqual([String(second.agent.greeting.pid), '1']);
  });

  it('does not let an agent touch the way to the one before', async () => {
    const { agent } = await next();
    const runs = await program(agent, 1);
    order('restart');
    const second = await next();

    for (const kind of ['keeper', 'plain']) {
      await second.agent.send(`keep before-1 ${kind} x`, ['memory', 'x']);
      expect(await second.agent.heard()).toBe('refused keep 22');
    }
    await second.agent.send('drop before-1');
    expect(await second.agent.heard()).toBe('dropped before-1');
    runs.end();

    expect(await second.agent.heard()).toBe(`ended 1 ${runs.pid} ${6 << 8}`);
  });

  it('starts as ever where the one before was killed, and the next one too', async () => {
    const { agent } = await next();
    const runs = await program(agent, 1);
    const [first] = ofStart();
    order('restart');
    const second = await next();

    process.kill(first as number, 'SIGKILL');
    await second.agent.send('drop nothing');
    expect(await second.agent.heard()).toBe('dropped nothing');
    order('restart');

    expect((await next()).told[0]).toBe('keeper 1 0.1.0 start');
    runs.end();
  });

  /** Two keepers that have stayed behind for a program each, and a third; then one of the first two is killed. */
  async function withOneKilled(which: 0 | 1, ...given: readonly (readonly ['process' | 'fifo', string])[]) {
    const first = await next();
    const programs = [await program(first.agent, 1)];
    const keep = async (agent: ScriptedAgent, serial: number): Promise<void> => {
      const [how = 'process', path = String(programs.at(-1)?.pid)] = given[serial - 1] ?? [];
      await agent.send(`keep program-${serial}-4 plain x`, [how, path]);
    };
    await keep(first.agent, 1);
    order('restart');
    const second = await next();
    programs.push(await program(second.agent, 2));
    await keep(second.agent, 2);
    order('restart');
    const third = await next();
    const killed = ofStart()[which] as number;
    process.kill(killed, 'SIGKILL');
    await until(() => !isThere(killed));
    // The keeper has had its turn.
    await third.agent.send('drop nothing');
    expect(await third.agent.heard()).toBe('dropped nothing');
    return { agent: third.agent, programs };
  }

  it.skipIf(!tellsEnds).each([0, 1] as const)('hears of the kernel how a program of one that was killed has ended (of keeper %i)', async (which) => {
    const { agent, programs } = await withOneKilled(which);

    programs[which]?.end();
    expect(await agent.heard()).toBe(`ended ${which + 1} ${programs[which]?.pid} ${6 << 8}`);

    programs[1 - which]?.end();
    expect(await agent.heard()).toBe(`ended ${2 - which} ${programs[1 - which]?.pid} ${6 << 8}`);
  });

  it.each([0, 1] as const)('has nothing to do, and neither has another one, when one has been killed (keeper %i)', async (which) => {
    await withOneKilled(which);

    for (const keeper of ofStart().filter(isThere)) {
      // It writes down what it does whenever it wakes up.
      await expect.poll(async () => {
        const before = writesOf(keeper);
        await setTimeout(200);
        return writesOf(keeper) - before;
      }, { timeout: 20_000 }).toBe(0);
    }
  });

  it('says of a program of one that was killed that nobody can tell how it has ended', async () => {
    // Stands for the process and, as before Linux 6.15, tells no more than that there is something.
    const fifo = lab.path('fifo');
    execFileSync('mkfifo', [fifo]);
    const { agent, programs } = await withOneKilled(0, ['fifo', fifo]);

    const writer = openSync(fifo, 'r+');
    writeSync(writer, 'x');
    try {
      expect(await agent.heard()).toBe(`ended 1 ${programs[0]?.pid} -1`);
    } finally {
      closeSync(writer);
      programs[0]?.end();
    }
    programs[1]?.end();
    expect(await agent.heard()).toBe(`ended 2 ${programs[1]?.pid} ${6 << 8}`);
  });

  it.skipIf(!tellsEnds)('tells the next keeper, too, which programs are of one that was killed', async () => {
    const { programs } = await withOneKilled(0);

    order('restart');
    const { agent } = await next();
    programs[0]?.end();

    expect(await agent.heard()).toBe(`ended 1 ${programs[0]?.pid} ${6 << 8}`);
  });

  it('is not followed when the service is stopped: then it reads what programs write until they have ended', async () => {
    const { agent } = await next();
    agent.order({ do: 'program', script: `${waits(lab.path('go'))}; head -c 300000 /dev/zero && echo $? >${lab.path('went-on')}`, output: true });
    const { program: pid } = (await agent.next()) as { program: number };
    await agent.send(`program 1 ${pid}`);
    const [keeper = 0] = ofStart();

    order('stop');
    await until(() => told.some(({ stopped }) => stopped === true));
    expect(isThere(keeper)).toBe(true);
    writeFileSync(lab.path('go'), '');

    await until(() => !isThere(keeper));
    expect(readdirSync(lab.directory)).toContain('went-on');
  });

  it('does not stay behind where no program is known', async () => {
    await next();
    const [keeper = 0] = ofStart();

    order('stop');

    await until(() => told.some(({ stopped }) => stopped === true));
    expect(isThere(keeper)).toBe(false);
    expect(told.flatMap(({ said }) => Object.keys(said ?? {}))).toEqual([]);
  });
});

/** Also as long as the test goes on, and no longer. */
const waits = (path: string): string => `while [ -d ${dirname(path)} ] && [ ! -e ${path} ]; do sleep 0.02; done`;

/** A child of a manager that does not wait for it may be a zombie. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** How often it has written something (proc_pid_io(5)). */
const writesOf = (pid: number): number => Number(/^syscw: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended since.
  }
}

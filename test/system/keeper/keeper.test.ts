// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readdirSync, readFileSync, readlinkSync, statSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { repository } from '../../wire/lib/build.ts';
import { KeeperLab, keeperPath, type ScriptedAgent } from './keeper-lab.ts';

let lab: KeeperLab;
const sockets: Socket[] = [];

beforeEach(async () => {
  lab = await KeeperLab.begin();
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await lab.end();
});

/** The first agent, greeted and told everything. */
async function first(): Promise<ScriptedAgent> {
  lab.start();
  return ready();
}

/** The next agent, greeted and told everything: what it was told is thrown away. */
async function ready(): Promise<ScriptedAgent> {
  const agent = await lab.next();
  await agent.told();
  return agent.greet();
}

const descriptors = (pid: number): readonly string[] => readdirSync(`/proc/${pid}/fd`);

/** A client or a server's side of one: whoever is at the other end may be killed. */
function mine(socket: Socket): Socket {
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

const makeFifo = (path: string): string => {
  spawnSync('mkfifo', [path]);
  return path;
};

describe('a start', () => {
  it('tells the version of its messages, its own, the reason, and that this was all', async () => {
    lab.start();
    const agent = await lab.next();

    expect(await agent.told()).toEqual(['keeper 1 0.1.0 start']);
    expect(agent.greeting.parent).toBe(lab.keeper.pid);
  });

  it('gives the agent no blocked signals, its own end, and nothing else of its descriptors', async () => {
    lab.start();
    const agent = await lab.next();

    expect(agent.greeting.blocked).toBe(false);
    // The socket of the keeper, and that of the test.
    const targets = descriptors(agent.greeting.pid).filter((fd) => Number(fd) > 2).map((fd) => readlinkSync(`/proc/${agent.greeting.pid}/fd/${fd}`));
    expect(targets.filter((target) => /^(socket|anon_inode)/.test(target)).length).toBe(2);
  });

  it('hands on a socket of the service manager to each agent, under its own process number', async () => {
    lab.start({ environment: { LISTEN_PID: '1', LISTEN_FDS: '1', NOTIFY_SOCKET: '@nobody' } });
    const agent = await lab.next();

    expect(agent.greeting.listen).toEqual([String(agent.greeting.pid), '1']);
    expect(agent.greeting.notify).toBeNull();
  });

  it('ends with the status of a program that never was an agent', async () => {
    const { status, stderr } = spawnSync(keeperPath, ['sh', '-c', 'echo no such option >&2; exit 3']);

    expect({ status, text: stderr.toString() }).toEqual({ status: 3, text: 'no such option\n' });
  });

  it('says what cannot be executed', () => {
    const { status, stderr } = spawnSync(keeperPath, ['--', '/nonexistent/agent']);

    expect({ status, text: stderr.toString() }).toEqual({ status: 127, text: 'concierge-keeper: cannot execute /nonexistent/agent: No such file or directory\n' });
  });

  it.each([[[]], [['--']], [['--help']]])('explains itself where it is given no program: %j', (words) => {
    const { status, stderr } = spawnSync(keeperPath, words);

    expect({ status, text: stderr.toString() }).toEqual({ status: 2, text: 'usage: concierge-keeper [--] PROGRAM [ARGUMENTS...]\n' });
  });
});

describe('what is held', () => {
  it('is told to the next agent with its descriptor, kind and note', async () => {
    const agent = await first();
    await agent.send('keep one plain a note of words', ['memory', 'first']);
    await agent.send('keep two plain ', ['memory', 'second']);
    agent.kill();

    const next = await lab.next();

    expect(await next.told()).toEqual(['keeper 1 0.1.0 died signal-9 1', 'held one plain a note of words', 'held two plain ']);
    expect(await next.read('one', 'content')).toBe('first');
    expect(await next.read('two', 'content')).toBe('second');
  });

  it('counts from the moment at which it was sent, though the agent is killed before the keeper has looked', async () => {
    const agent = await first();
    lab.keeper.kill('SIGSTOP');
    await agent.send('keep late plain x', ['memory', 'kept']);
    agent.kill();
    lab.keeper.kill('SIGCONT');

    const next = await lab.next();
    await next.told();

    expect(await next.read('late', 'content')).toBe('kept');
  });

  it('takes the place of one of the same name', async () => {
    const agent = await first();
    await agent.send('keep one plain old', ['memory', 'old']);
    await agent.send('keep one plain new', ['memory', 'new']);
    agent.kill();

    const next = await lab.next();

    expect((await next.told()).slice(1)).toEqual(['held one plain new']);
    expect(await next.read('one', 'content')).toBe('new');
  });

  it('is closed when it is dropped, and then said to be', async () => {
    const agent = await first();
    const before = descriptors(lab.keeper.pid as number).length;
    await agent.send('keep one plain x', ['memory', 'x']);

    await agent.send('drop one');

    expect(await agent.heard()).toBe('dropped one');
    expect(descriptors(lab.keeper.pid as number).length).toBe(before);
  });

  it('is told of whole, however much it is', async () => {
    const agent = await first();
    agent.order({ do: 'many', count: 3000 });
    await agent.done();
    agent.kill();

    const told = await (await lab.next()).told();

    expect(told.filter((text) => text.startsWith('held many-')).length).toBe(3000);
    expect(new Set(told).size).toBe(told.length);
  });
});

describe('a file that goes with what serves behind it', () => {
  const put = (name: string): string => {
    const path = lab.path(name);
    writeFileSync(path, name);
    return path;
  };

  it('is taken away at the end of a keeper whose agent sleeps', async () => {
    const [ours, other] = [put('ours'), put('other')];
    const agent = await first();
    await agent.send('keep place file ', ['place', ours]);
    await agent.send('keep memory plain ', ['place', other]);
    await agent.sleep();

    lab.keeper.kill('SIGTERM');

    expect(await lab.ended()).toBe(0);
    expect([exists(ours), exists(other)]).toEqual([false, true]);
  });

  it('is taken away when an agent ends the keeper', async () => {
    const ours = put('ours');
    const agent = await first();
    await agent.send('keep place file ', ['place', ours]);
    await agent.send('end');
    agent.order({ do: 'exit', status: 4 });

    expect(await lab.ended()).toBe(4);
    expect(exists(ours)).toBe(false);
  });

  it.each(['drop place', 'keep place plain '])('is taken away by `%s`', async (text) => {
    const ours = put('ours');
    const agent = await first();
    await agent.send('keep place file ', ['place', ours]);

    await agent.send(text, ...(text.startsWith('keep') ? [['memory', 'x'] as const] : []));

    await until(() => !exists(ours));
  });

  it('stays where another one lies at its place, and while one agent follows another', async () => {
    const [ours, theirs] = [put('ours'), put('theirs')];
    const agent = await first();
    await agent.send('keep one file ', ['place', ours]);
    await agent.send('keep two file ', ['place', theirs]);
    agent.kill();
    const next = await ready();
    expect(exists(ours)).toBe(true);
    unlinkSync(theirs);
    put('theirs');
    await next.sleep();

    lab.keeper.kill('SIGTERM');

    expect(await lab.ended()).toBe(0);
    expect([exists(ours), exists(theirs)]).toEqual([false, true]);
  });
});

describe('a guardian of a freeze', () => {
  const textOf = (pid: number, name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');

  async function guardianOf(agent: ScriptedAgent): Promise<number> {
    await agent.send('guardian 7', ['guardian', '']);
    const [word, number, pid] = (await agent.heard()).split(' ');
    expect([word, number]).toEqual(['guardian', '7']);
    return Number(pid);
  }

  it('is made of the keeper, in a session of its own, under its own name, with nothing that the keeper holds', async () => {
    const agent = await first();
    await agent.send('keep one plain x', ['memory', 'x']);
    const pid = await guardianOf(agent);

    agent.order({ do: 'converse', text: 'sweep 0 zz\n' });
    expect(await agent.next()).toEqual({ read: 'swept 22 0\n' });

    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(keeperPath.replace(/^.*\/build/, `${repository}/build`));
    expect([textOf(pid, 'comm'), textOf(pid, 'cmdline').replace(/\0+$/, '')]).toEqual(['concierge-guard\n', 'concierge-guardian']);
    const [, parent, , session] = textOf(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
    expect([Number(parent), Number(session)]).toEqual([lab.keeper.pid, pid]);
    const targets = descriptors(pid).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:.*/, ''));
    expect(targets.toSorted()).toEqual(['/dev/null', '/dev/null', '/dev/null', 'anon_inode', 'anon_inode', 'anon_inode', 'socket']);
  });

  it('goes with its conversation, and outlives its agent and its keeper only as long as that', async () => {
    const agent = await first();
    const pid = await guardianOf(agent);

    agent.order({ do: 'part' });

    await until(() => !exists(`/proc/${pid}`));
    await agent.send('drop one');
    expect(await agent.heard()).toBe('dropped one');
  });

  it('is refused without a conversation', async () => {
    const agent = await first();

    await agent.send('guardian 8');

    expect(await agent.heard()).toBe('guardian 8 -9');
  });
});

describe('limits and garbage', () => {
  it('refuses one more than the table has room for, and holds the others', async () => {
    const agent = await first();
    agent.order({ do: 'many', count: 8192 });
    await agent.done();

    await agent.send('keep beyond plain x', ['memory', 'x']);

    expect(await agent.heard()).toBe('refused keep 28');
    await agent.send('drop many-7');
    expect(await agent.heard()).toBe('dropped many-7');
    await agent.send('keep beyond plain x', ['memory', 'x']);
    agent.kill();
    expect((await (await lab.next()).told()).length).toBe(8193);
  });

  it('refuses a descriptor that it has no number for, and goes on', async () => {
    lab.start({ limit: 20 });
    const agent = await ready();
    agent.order({ do: 'many', count: 30 });
    await agent.done();

    expect(await agent.heard()).toBe('refused keep 24');
    await agent.send('drop many-1');
    for (let text = await agent.heard(); text !== 'dropped many-1'; text = await agent.heard()) expect(text).toBe('refused keep 24');
  });

  it.each([
    ['an unknown word', 'sing a song', 'refused sing 38'],
    ['nothing', ' ', 'refused  38'],
    ['a kind that is none', 'keep a weather x', 'refused keep 22'],
    ['no descriptor', 'keep a plain x', 'refused keep 9'],
    ['dropping what is not held', 'drop it', 'dropped it'],
    ['taking what is not held', 'took it', 'refused took 2'],
    ['a zero', 'drop \0it', 'refused ? 22'],
    ['bytes', '\xff\xfe\x01', 'refused \xff\xfe\x01 38'],
    ['a packet beyond the limit', `notify ${'x'.repeat(9000)}`, 'refused notify 24'],
    ['a word of any length', 'y'.repeat(300), `refused ${'y'.repeat(32)} 38`],
    ['another greeting', 'agent 2 test', 'refused agent 93'],
  ])('answers %s, and goes on', async (_what, text, answer) => {
    const agent = await first();

    await agent.send(text);

    expect(await agent.heard()).toBe(answer);
    await agent.send('keep good plain x', ['memory', 'x']);
    await agent.send('drop good');
    expect(await agent.heard()).toBe('dropped good');
  });

  it.each([
    ['no name', 'keep  plain x'],
    ['a name that is too long', `keep ${'n'.repeat(48)} plain x`],
    ['a name with other characters', 'keep n\x01 plain x'],
    ['a note that is too long', `keep n plain ${'x'.repeat(192)}`],
    ['a note with a line feed', 'keep n plain a\nb'],
  ])('refuses %s', async (_what, text) => {
    const agent = await first();
    const before = descriptors(lab.keeper.pid as number).length;

    await agent.send(text, ['memory', 'x']);

    expect(await agent.heard()).toBe('refused keep 22');
    expect(descriptors(lab.keeper.pid as number).length).toBe(before);
  });

  it('refuses to wait for a file', async () => {
    const agent = await first();

    await agent.send('keep file stream x', ['memory', 'x']);

    expect(await agent.heard()).toBe('refused keep 1');
  });

  it('closes descriptors that nobody asked for', async () => {
    const agent = await first();
    const before = descriptors(lab.keeper.pid as number).length;

    await agent.send('notify STATUS=x', ['memory', 'x'], ['memory', 'y'], ['memory', 'z']);
    await agent.send('keep one plain x', ['memory', 'x'], ['memory', 'y']);
    await agent.send('drop one');

    expect(await agent.heard()).toBe('dropped one');
    expect(descriptors(lab.keeper.pid as number).length).toBe(before);
  });

  it('hears nothing of an agent that has not greeted', async () => {
    lab.start();
    const agent = await lab.next();
    await agent.told();

    await agent.send('keep one plain x', ['memory', 'x']);

    expect(await agent.heard()).toBe('refused keep 71');
  });

  it('takes nobody for gone who floods it and does not read the answers', async () => {
    const agent = await first();
    lab.keeper.kill('SIGSTOP');
    agent.order({ do: 'send', text: 'sing', times: 200 });
    await agent.done();
    lab.keeper.kill('SIGCONT');

    await agent.send('keep good plain x', ['memory', 'x']);
    agent.kill();

    expect((await (await lab.next()).told()).slice(1)).toEqual(['held good plain x']);
  });
});

describe('asleep', () => {
  it('a client in the queue of a listening socket starts an agent', async () => {
    const agent = await first();
    await agent.send('keep listener listener note', ['listener', lab.path('host.sock')]);
    await agent.sleep();
    expect(lab.unexpected).toBe(0);

    mine(connect(lab.path('host.sock')));

    expect(await (await lab.next()).told()).toEqual(['keeper 1 0.1.0 input', 'held listener listener note']);
  });

  it('what a client says starts an agent, which reads all of it', async () => {
    const server = createServer(mine).listen(lab.path('clients.sock'));
    await once(server, 'listening');
    const agent = await first();
    await agent.send('keep client stream x', ['client', lab.path('clients.sock')]);
    await until(() => sockets.length === 1);
    await agent.sleep();

    sockets[0]?.write('hello');

    const next = await lab.next();
    await next.told();
    expect(await next.read('client')).toBe('hello');
    server.close();
  });

  it('what a client had said before is not missed', async () => {
    const server = createServer(mine).listen(lab.path('clients.sock'));
    await once(server, 'listening');
    const agent = await first();
    await agent.send('keep client stream x', ['client', lab.path('clients.sock')]);
    await until(() => sockets.length === 1);
    await new Promise<void>((resolve) => sockets[0]?.write('early', () => resolve()));

    await agent.sleep();

    const next = await lab.next();
    await next.told();
    expect(await next.read('client')).toBe('early');
    server.close();
  });

  it('a client that leaves is let go, and wakes nobody', async () => {
    const server = createServer(mine).listen(lab.path('clients.sock'));
    await once(server, 'listening');
    const agent = await first();
    const before = descriptors(lab.keeper.pid as number).length;
    await agent.send('keep client stream x', ['client', lab.path('clients.sock')]);
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    await until(() => sockets.length === 1);
    await agent.sleep();

    sockets[0]?.destroy();

    // Without the agent's socket and the client, with the listener.
    await until(() => descriptors(lab.keeper.pid as number).length === before);
    expect(lab.unexpected).toBe(0);
    mine(connect(lab.path('host.sock')));
    expect((await (await lab.next()).told()).slice(1)).toEqual(['held listener listener x']);
    server.close();
  });

  it('the last words of a client that has left start an agent', async () => {
    const server = createServer(mine).listen(lab.path('clients.sock'));
    await once(server, 'listening');
    const agent = await first();
    await agent.send('keep client stream x', ['client', lab.path('clients.sock')]);
    await until(() => sockets.length === 1);
    await agent.sleep();

    sockets[0]?.end('farewell');

    const next = await lab.next();
    await next.told();
    expect(await next.read('client')).toBe('farewell');
    server.close();
  });

  // A FIFO says of writers that come and go what a virtio port says of its hosts: hung up while there is none, and readable.
  describe('a port', () => {
    const keepFifo = async (): Promise<{ readonly agent: ScriptedAgent; readonly path: string }> => {
      const path = makeFifo(lab.path('port'));
      const agent = await first();
      await agent.send('keep port port x', ['fifo', path]);
      return { agent, path };
    };

    it('starts an agent at input while its host is there', async () => {
      const { agent, path } = await keepFifo();
      await agent.sleep();
      const host = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      expect(lab.unexpected).toBe(0);

      writeSync(host, 'request');

      const next = await lab.next();
      expect(await next.told()).toEqual(['keeper 1 0.1.0 input', 'held port port x']);
      expect(await next.read('port')).toBe('request');
      closeSync(host);
    });

    it('costs nothing while hosts come and go that say nothing', async () => {
      const { agent, path } = await keepFifo();
      await agent.sleep();

      for (let visit = 0; visit < 20; visit++) closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));

      // One that is woken again and again is never found at rest.
      for (let before = -1; before !== switches(); ) {
        before = switches();
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      expect(lab.unexpected).toBe(0);
    });

    it('hands over what a host has left behind that has gone already', async () => {
      const { agent, path } = await keepFifo();
      lab.keeper.kill('SIGSTOP');
      await agent.send('sleep');
      const host = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(host, 'x'.repeat(5000));
      closeSync(host);
      lab.keeper.kill('SIGCONT');

      const next = await lab.next();

      expect(await next.told()).toEqual(['keeper 1 0.1.0 input', 'held port port x', `input port\n${'x'.repeat(4096)}`]);
      expect(await next.read('port')).toBe('x'.repeat(904));
    });

    it('keeps what it has read until an agent has taken it', async () => {
      const { agent, path } = await keepFifo();
      lab.keeper.kill('SIGSTOP');
      await agent.send('sleep');
      const host = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      writeSync(host, 'precious');
      closeSync(host);
      lab.keeper.kill('SIGCONT');

      const dies = await ready();
      dies.kill();
      const takes = await ready();
      await takes.send('took port');
      takes.kill();
      const last = await lab.next();

      expect(await last.told()).toEqual(['keeper 1 0.1.0 died signal-9 2', 'held port port x']);
    });
  });

  it('an agent that does not end after it has said so is ended when it is needed', async () => {
    const agent = await first();
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    await agent.send('sleep');

    mine(connect(lab.path('host.sock')));

    await agent.ended;
    expect((await (await lab.next()).told())[0]).toBe('keeper 1 0.1.0 input');
  });

  it('many turns leave nothing behind', async () => {
    const agent = await first();
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    // Its answer says that the listener has been taken.
    await agent.send('keep last plain x', ['memory', 'x']);
    await agent.send('drop last');
    expect(await agent.heard()).toBe('dropped last');
    const awake = descriptors(lab.keeper.pid as number).length;
    await agent.sleep();
    // The agent's socket goes when its end is seen.
    await until(() => descriptors(lab.keeper.pid as number).length === awake - 1);
    const before = { descriptors: descriptors(lab.keeper.pid as number).length, memory: resident() };

    for (let turn = 0; turn < 20; turn++) {
      const socket = mine(connect(lab.path('host.sock')));
      await once(socket, 'connect');
      const next = await ready();
      // The client waits in the queue; a new listener takes its place.
      await next.send('drop listener');
      await next.send('keep listener listener x', ['listener', lab.path(`host-${turn}.sock`)]);
      await next.send('drop listener');
      spawnSync('rm', ['-f', lab.path('host.sock')]);
      await next.send('keep listener listener x', ['listener', lab.path('host.sock')]);
      await next.sleep();
      socket.destroy();
    }

    await until(() => descriptors(lab.keeper.pid as number).length === before.descriptors);
    expect(resident() - before.memory).toBeLessThan(64 * 1024);
  });

  it('ends at once when it is asked to', async () => {
    const agent = await first();
    await agent.sleep();

    lab.keeper.kill('SIGTERM');

    expect(await lab.ended()).toBe(0);
  });

  it('is no more than a small C program, and opens no file', async () => {
    const agent = await first();
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    await agent.sleep();

    const rollup = readFileSync(`/proc/${lab.keeper.pid}/smaps_rollup`, 'utf8');
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]);
    expect(kib('Anonymous')).toBeLessThan(300);
    expect(kib('Pss')).toBeLessThan(1000);
    expect(statSync(keeperPath).size).toBeLessThan(100_000);
    const open = descriptors(lab.keeper.pid as number).map((fd) => readlinkSync(`/proc/${lab.keeper.pid}/fd/${fd}`));
    // Its status is in memory, as the agent's notes are.
    expect(open.filter((target) => target.startsWith('/') && target !== '/dev/null')).toEqual(['/memfd:keeper-status (deleted)']);
  });
});

/** Context switches of the keeper so far. */
function switches(): number {
  const status = readFileSync(`/proc/${lab.keeper.pid}/status`, 'utf8');
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

/** Anonymous memory of the keeper in bytes. */
function resident(): number {
  return Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${lab.keeper.pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024;
}

describe('the end of an agent', () => {
  it('that says so is the end of the keeper, with its status', async () => {
    const agent = await first();
    await agent.send('end');

    agent.order({ do: 'exit', status: 5 });

    expect(await lab.ended()).toBe(5);
  });

  it.each([
    ['a signal', 'SIGKILL', 'died signal-9 1'],
    ['a request to end that was its own', 'SIGTERM', 'died status-7 1'],
  ] as const)('by %s is followed by the next one at once', async (_what, signal, reason) => {
    const agent = await first();

    agent.kill(signal);

    expect((await (await lab.next()).told())[0]).toBe(`keeper 1 0.1.0 ${reason}`);
  });

  it('again and again makes growing pauses, which are said', async () => {
    lab.start();
    for (let death = 1; death <= 4; death++) (await ready()).kill();

    const agent = await lab.next();

    expect((await agent.told())[0]).toBe('keeper 1 0.1.0 died signal-9 4');
    expect(lab.said).toEqual([
      'concierge-keeper: the agent has ended (signal-9), 1 in a row; the next one starts in 0.0 s',
      'concierge-keeper: the agent has ended (signal-9), 2 in a row; the next one starts in 0.1 s',
      'concierge-keeper: the agent has ended (signal-9), 3 in a row; the next one starts in 0.2 s',
      'concierge-keeper: the agent has ended (signal-9), 4 in a row; the next one starts in 0.4 s',
    ]);
  });

  it('counts anew after one that has slept', async () => {
    const agent = await first();
    await agent.send('keep listener listener x', ['listener', lab.path('host.sock')]);
    agent.kill();
    const second = await ready();
    second.kill();
    await (await ready()).sleep();
    mine(connect(lab.path('host.sock')));

    (await ready()).kill();

    expect((await (await lab.next()).told())[0]).toBe('keeper 1 0.1.0 died signal-9 1');
  });

  it('of one that has closed its socket is noticed nevertheless', async () => {
    const agent = await first();
    agent.order({ do: 'close' });
    await agent.done();

    agent.kill();

    expect((await (await lab.next()).told())[0]).toBe('keeper 1 0.1.0 died signal-9 1');
  });

  it('is waited for after a request to end, and its status passed on', async () => {
    const agent = await first();

    lab.keeper.kill('SIGTERM');

    expect(await lab.ended()).toBe(7);
    await agent.ended;
  });

  it('is not waited for between two agents', async () => {
    lab.start();
    for (let death = 1; death <= 6; death++) (await ready()).kill();
    await until(() => lab.said.length === 6);

    lab.keeper.kill('SIGTERM');

    expect(await lab.ended()).toBe(0);
  });
});

describe('an agent', () => {
  it('is told of a hang-up, which is for its log file', async () => {
    const agent = await first();

    lab.keeper.kill('SIGHUP');

    for (let word = await agent.next(); ; word = await agent.next()) if (word['signal'] === 'SIGHUP') break;
  });

  it('that has not greeted is told of it then, for it would be its end before', async () => {
    lab.start();
    const agent = await lab.next();
    await agent.told();

    lab.keeper.kill('SIGHUP');
    for (let times = 0; times < 3; times += 1) {
      agent.order({ do: 'send', text: 'drop one' });
      expect(await agent.heard()).toMatch(/^refused drop /);
      // Nothing but this, though the keeper has had its signal by now.
      expect(await agent.next()).toEqual({ done: 'send' });
    }
    agent.order({ do: 'send', text: 'agent 1 test' });

    expect(new Set([await agent.next(), await agent.next()])).toEqual(new Set([{ done: 'send' }, { signal: 'SIGHUP' }]));
  });

  it('whose keeper is killed sees its socket close', async () => {
    const agent = await first();

    lab.keeper.kill('SIGKILL');

    for (let word = await agent.next(); ; word = await agent.next()) if (word['lost'] === true) break;
    agent.kill();
  });

  it('is not held up by a keeper that stands still', async () => {
    const agent = await first();
    lab.keeper.kill('SIGSTOP');

    for (let index = 0; index < 50; index++) await agent.send(`keep one-${index} plain x`, ['memory', 'x']);

    lab.keeper.kill('SIGCONT');
    await agent.send('drop one-49');
    expect(await agent.heard()).toBe('dropped one-49');
  });
});

describe('standard error', () => {
  it('that nobody reads any more is not the end of the keeper', async () => {
    const agent = await first();
    lab.keeper.stderr?.destroy();

    agent.kill();
    const next = await ready();

    next.kill();
    await (await ready()).send('drop one');
    expect(lab.keeper.exitCode).toBeNull();
  });
});

describe('a program that is started', () => {
  it('ignores no signal', () => {
    const { stdout } = spawnSync(keeperPath, ['--', 'grep', 'SigIgn', '/proc/self/status']);

    expect(stdout.toString()).toBe('SigIgn:\t0000000000000000\n');
  });
});

describe('the service manager', () => {
  it('is told what the agent says, as it is, and of deaths', async () => {
    const path = lab.path('notify.sock');
    const program = 'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nopen(sys.argv[1] + ".there", "w").close()\nfor _ in range(2): print(repr(s.recv(9999)), flush=True)\n';
    const manager = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    manager.stdout.on('data', (piece: Buffer) => (heard += piece.toString()));
    await until(() => exists(`${path}.there`));
    lab.start({ environment: { NOTIFY_SOCKET: path } });
    const agent = await ready();

    await agent.send('notify READY=1\nSTATUS=Serving a test');
    agent.kill();
    await once(manager, 'exit');

    expect(heard).toBe("b'READY=1\\nSTATUS=Serving a test'\nb'STATUS=the agent has ended (signal-9), 1 in a row; the next one starts in 0.0 s'\n");
  });
});

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

describe('the first process of a container', () => {
  const namespaces = process.getuid?.() === 0 && spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;

  it.skipIf(!namespaces)('reaps what others have left behind (needs root, unshare)', () => {
    // A program that leaves an orphan behind, which is the child of the first process from then on; it looks for zombies.
    const program = `import os, time
if os.fork() == 0:
    if os.fork() == 0: os._exit(3)
    os._exit(0)
os.wait()
def state(pid):
    try: return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
    except OSError: return "gone since the directory was listed"
for _ in range(500):
    found = [p for p in os.listdir("/proc") if p.isdigit() and state(p) == "Z"]
    if not found: break
    time.sleep(0.02)
print(found)
`;
    writeFileSync(lab.path('orphan.py'), program);

    const { stdout } = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', keeperPath, 'python3', lab.path('orphan.py')]);

    expect(stdout.toString()).toBe('[]\n');
  });
});

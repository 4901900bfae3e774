// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { scratchDirectory, type AgentProcess } from '../../wire/lib/agent-process.ts';
import { PseudoTerminal } from '../../wire/lib/pseudo-terminal.ts';
import { agentOf, ask, asleep, endAll, keptAgent, starts } from './kept-agent.ts';

afterEach(endAll);

const unix = (name: string, directory: string, ...rest: readonly string[]): readonly string[] =>
  [`[channel ${name}]`, 'method=unix-listen', `path=${join(directory, name)}`, ...rest];

const refused = { class: 'CommandNotFound', desc: expect.stringContaining('has been disabled') as string };
/** Of channels, and of the keeper. */
const trouble = /Failed to|failed to|trying again|does not sleep|has ended/;
const unknown = { class: 'GenericError' };

interface Several {
  readonly keeper: AgentProcess;
  /** Puts other groups in place, in one go. */
  readonly configure: (...groups: readonly (readonly string[])[]) => void;
}

/** An agent of this machine under a keeper, with groups of the configuration besides the channel of [general], whose socket is `s`. */
async function several(directory: string, ...groups: readonly (readonly string[])[]): Promise<Several> {
  const file = join(directory, 'ga.conf');
  const configure = (...now: readonly (readonly string[])[]): void => {
    const lines = ['[general]', 'method=unix-listen', `path=${join(directory, 's')}`, `statedir=${directory}`, '[concierge]', 'sleep-after=1', 'profile=manage', ...now.flat(), ''];
    writeFileSync(`${file}.new`, lines.join('\n'), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  configure(...groups);
  const keeper = await keptAgent({ directory, allWords: ['--verbose'], environment: { QGA_CONF: file } });
  return { keeper, configure };
}

const kill = async (keeper: AgentProcess): Promise<void> => {
  const before = starts(keeper);
  process.kill(agentOf(keeper) as number, 'SIGKILL');
  await until(() => starts(keeper) > before);
};

describe('an agent with several channels and a keeper', () => {
  it('sleeps, is woken by each of them, and each has its profile', async () => {
    const directory = scratchDirectory();
    const line = await PseudoTerminal.open();
    const { keeper } = await several(directory, unix('tools', directory, 'profile=full'), ['[channel line]', 'method=isa-serial', `path=${line.path}`, 'profile=observe']);
    const [first, tools] = [await keeper.connect(), await keeper.connect(join(directory, 'tools'))];
    expect(await ask(tools, 'guest-ping')).toEqual({});
    const exec = { path: '/bin/true' };

    await asleep(keeper);
    const before = starts(keeper);
    expect(await ask(tools, 'guest-exec', exec)).toMatchObject({ pid: expect.any(Number) as number });
    await asleep(keeper);
    expect(await ask(first, 'guest-exec', exec)).toMatchObject(refused);
    await asleep(keeper);
    line.send(Buffer.from(`${JSON.stringify({ execute: 'guest-exec', arguments: exec })}\n{"execute": "guest-sync", "arguments": {"id": 7}}\n`));
    expect(await line.line()).toContain('has been disabled');
    expect(await line.line()).toBe('{"return": 7}');
    await asleep(keeper);
    const other = await keeper.connect(join(directory, 'tools'));
    expect(await ask(other, 'guest-ping')).toEqual({});

    expect(starts(keeper)).toBe(before + 4);
    for (const host of [first, tools, other]) host.close();
    await line.close();
  });

  it('answers what was said on all of them at once, each its own', async () => {
    const directory = scratchDirectory();
    const { keeper } = await several(directory, unix('a', directory), unix('b', directory), unix('c', directory));
    const hosts = await Promise.all(['s', 'a', 'b', 'c'].map((name) => keeper.connect(join(directory, name))));
    await Promise.all(hosts.map((host) => host.ask('{"execute": "guest-ping"}\n')));
    await asleep(keeper);
    const before = starts(keeper);

    hosts.forEach((host, index) => host.send(`{"execute": "guest-sync", "arguments": {"id": ${index}}}\n{"execute": "guest-sync", "arguments": {"id": 1${index}}}\n`));

    for (const [index, host] of hosts.entries()) {
      expect((await host.line())?.toString()).toBe(`{"return": ${index}}`);
      expect((await host.line())?.toString()).toBe(`{"return": 1${index}}`);
      host.close();
    }
    expect(starts(keeper)).toBe(before + 1);
  });

  it('is killed, and clients, files and programs go on, each with the channel whose it was', async () => {
    const directory = scratchDirectory();
    const { keeper } = await several(directory, unix('tools', directory, 'profile=full'), unix('more', directory, 'profile=full'));
    const [tools, more] = [await keeper.connect(join(directory, 'tools')), await keeper.connect(join(directory, 'more'))];
    const handle = await ask(tools, 'guest-file-open', { path: '/proc/version' });
    expect(await ask(tools, 'guest-file-read', { handle, count: 6 })).toMatchObject({ 'buf-b64': Buffer.from('Linux ').toString('base64') });
    const go = join(directory, 'go');
    const { pid } = (await ask(more, 'guest-exec', { path: '/bin/sh', arg: ['-c', `echo before; while [ ! -e ${go} ] && [ -d ${directory} ]; do sleep 0.02; done; echo after`], 'capture-output': true })) as { pid: number };

    await kill(keeper);

    expect(await ask(more, 'guest-file-read', { handle })).toMatchObject(unknown);
    expect(await ask(tools, 'guest-exec-status', { pid })).toMatchObject(unknown);
    expect(await ask(tools, 'guest-file-read', { handle, count: 7 })).toMatchObject({ 'buf-b64': Buffer.from('version').toString('base64') });
    expect(await ask(more, 'guest-exec-status', { pid })).toEqual({ exited: false });
    await kill(keeper);
    writeFileSync(go, '');
    await expect.poll(() => ask(more, 'guest-exec-status', { pid }), { timeout: 30_000 }).toMatchObject({ exited: true, exitcode: 0, 'out-data': Buffer.from('before\nafter\n').toString('base64') });
    expect(await ask(tools, 'guest-file-close', { handle })).toEqual({});
    tools.close();
    more.close();
  });

  it('makes room for an update of the keeper and itself, and keeps all of them', async () => {
    const directory = scratchDirectory();
    // One that sleeps makes room without being seen.
    const { keeper } = await several(directory, unix('a', directory), unix('b', directory), ['[concierge]', 'sleep-after=0']);
    const hosts = await Promise.all(['s', 'a', 'b'].map((name) => keeper.connect(join(directory, name))));
    for (const host of hosts) expect(await ask(host, 'guest-ping')).toEqual({});
    const agent = agentOf(keeper);

    keeper.signal('SIGUSR2');

    await until(() => ![undefined, agent].includes(agentOf(keeper)));
    for (const host of hosts) {
      expect(await ask(host, 'guest-ping')).toEqual({});
      host.close();
    }
    expect(keeper.stderr).not.toMatch(trouble);
  });

  it('goes on with the others when one is cut while it sleeps, and waits for that one', async () => {
    const directory = scratchDirectory();
    const line = await PseudoTerminal.open();
    const { keeper } = await several(directory, ['[channel line]', 'method=isa-serial', `path=${line.path}`], unix('tools', directory));
    const [first, tools] = [await keeper.connect(), await keeper.connect(join(directory, 'tools'))];
    for (const host of [first, tools]) expect(await ask(host, 'guest-ping')).toEqual({});
    await asleep(keeper);
    const before = starts(keeper);

    await line.close();

    for (const host of [first, tools]) expect(await ask(host, 'guest-ping')).toEqual({});
    await until(() => keeper.stderr.includes(`isa-serial ${line.path} is lost`));
    for (const host of [first, tools]) {
      expect(await ask(host, 'guest-ping')).toEqual({});
      host.close();
    }
    expect(starts(keeper)).toBe(before + 1);
  });

  it('serves where the groups say by now when two of them have changed places in its sleep', async () => {
    const directory = scratchDirectory();
    const at = (name: string, path: string, profile: string): readonly string[] => [`[channel ${name}]`, 'method=unix-listen', `path=${join(directory, path)}`, `profile=${profile}`];
    const { keeper, configure } = await several(directory, at('a', 'x', 'full'), at('b', 'y', 'observe'), unix('gone', directory, 'profile=full'));
    const exec = { path: '/bin/true' };
    const [stays, leaves] = [await keeper.connect(join(directory, 'y')), await keeper.connect(join(directory, 'gone'))];
    expect(await ask(stays, 'guest-exec', exec)).toMatchObject(refused);
    expect(await ask(leaves, 'guest-exec', exec)).toMatchObject({ pid: expect.any(Number) as number });
    await asleep(keeper);

    configure(at('a', 'y', 'full'), at('b', 'x', 'observe'));
    expect(await ask(stays, 'guest-exec', exec)).toMatchObject(refused);

    // A client stays with its channel, and with its channel's profile, wherever that has moved to; that of none is let go.
    expect(await leaves.line()).toBeUndefined();
    const [x, y] = [await keeper.connect(join(directory, 'x')), await keeper.connect(join(directory, 'y'))];
    expect(await ask(x, 'guest-exec', exec)).toMatchObject(refused);
    expect(await ask(y, 'guest-exec', exec)).toMatchObject({ pid: expect.any(Number) as number });
    expect(existsSync(join(directory, 'gone'))).toBe(false);
    expect(keeper.stderr).not.toMatch(trouble);
    for (const host of [x, y, stays]) host.close();
  });

  it('gives places of groups and of [general] to one another', async () => {
    const directory = scratchDirectory();
    const file = join(directory, 'ga.conf');
    const configure = (main: string, other: string): void => {
      const lines = ['[general]', 'method=unix-listen', `path=${join(directory, main)}`, `statedir=${directory}`, '[concierge]', 'sleep-after=1', 'profile=full', '[channel a]', 'method=unix-listen', `path=${join(directory, other)}`, 'profile=observe', ''];
      writeFileSync(file, lines.join('\n'), { mode: 0o600 });
    };
    configure('x', 'y');
    const keeper = await keptAgent({ directory, allWords: ['--verbose'], environment: { QGA_CONF: file } });
    await asleep(keeper);

    configure('y', 'x');
    const woken = await keeper.connect(join(directory, 'x'));
    await until(() => keeper.stderr.split('debug: serving').length === 3);
    const [x, y] = [await keeper.connect(join(directory, 'x')), await keeper.connect(join(directory, 'y'))];

    expect(await ask(x, 'guest-exec', { path: '/bin/true' })).toMatchObject(refused);
    expect(await ask(y, 'guest-exec', { path: '/bin/true' })).toMatchObject({ pid: expect.any(Number) as number });
    expect(keeper.stderr).not.toMatch(trouble);
    for (const host of [woken, x, y]) host.close();
  });

  it('holds no more from turn to turn, and takes every socket away at its end', async () => {
    const directory = scratchDirectory();
    const { keeper } = await several(directory, unix('a', directory, 'profile=full'), unix('b', directory, 'profile=full'));
    const held = (): number => readdirSync(`/proc/${keeper.pid}/fd`).length;
    let after = 0;
    for (let turn = 0; turn < 4; turn++) {
      for (const name of ['a', 'b']) {
        const host = await keeper.connect(join(directory, name));
        const handle = await ask(host, 'guest-file-open', { path: '/proc/version' });
        await ask(host, 'guest-file-close', { handle });
        host.close();
      }
      await asleep(keeper);
      // What its first sleep has left is there by then.
      if (turn === 1) after = held();
    }
    // Clients that have left are let go a moment later.
    await expect.poll(held, { timeout: 30_000 }).toBeLessThanOrEqual(after);

    keeper.signal('SIGTERM');

    expect(await keeper.end()).toEqual({ code: 0, signal: null });
    expect(['s', 'a', 'b'].filter((name) => existsSync(join(directory, name)))).toEqual([]);
  });
});

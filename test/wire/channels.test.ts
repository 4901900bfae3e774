// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentProcess, scratchDirectory } from './lib/agent-process.ts';
import type { LineClient } from './lib/line-client.ts';
import { PseudoTerminal } from './lib/pseudo-terminal.ts';
import { until } from './lib/until.ts';

const hasPython = spawnSync('python3', ['-c', '']).status === 0;

let directory: string;
let running: AgentProcess[];

beforeEach(() => {
  directory = scratchDirectory();
  running = [];
});
afterEach(async () => {
  for (const agent of running) await agent.stop();
  rmSync(directory, { recursive: true, force: true });
});

const place = (name: string): string => join(directory, name);

/** An agent of a guest in memory, with what the file has besides. */
async function start(groups: readonly string[], { own = [] }: { readonly own?: readonly string[] } = {}): Promise<AgentProcess> {
  writeFileSync(place('conf'), ['[concierge]', 'backend=fake', `policy-directory=${place('policy.d')}`, ...own, ...groups, ''].join('\n'), { mode: 0o600 });
  mkdirSync(place('policy.d'), { mode: 0o700 });
  const agent = new AgentProcess({ directory, words: ['-c', place('conf')] });
  running.push(agent);
  (await agent.connect()).close();
  return agent;
}

const unix = (name: string, ...rest: readonly string[]): readonly string[] => [`[channel ${name}]`, 'method=unix-listen', `path=${place(name)}`, ...rest];

const ask = (client: LineClient, execute: string, args?: object): Promise<string> => client.ask(`${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })}\n`);

const exec = { path: '/bin/nothing' };
const disabled = 'has been disabled: the command is not allowed';

describe('an agent with several channels', () => {
  it('gives each its profile, tells one freeze to all, and keeps handles apart', async () => {
    const agent = await start([...unix('tools', 'profile=full'), ...unix('watch', 'profile=observe'), ...unix('also', 'handles=shared')], { own: ['profile=manage'] });
    const [first, tools, watch, also] = [await agent.connect(), await agent.connect(place('tools')), await agent.connect(place('watch')), await agent.connect(place('also'))];

    expect(await ask(first, 'guest-exec', exec)).toContain(`${disabled}: the profile manage runs no programs`);
    expect(await ask(also, 'guest-exec', exec)).toContain(disabled);
    expect(await ask(tools, 'guest-exec', exec)).not.toContain(disabled);
    expect(await ask(watch, 'guest-fsfreeze-freeze')).toContain(`${disabled}: the profile observe asks and changes nothing`);
    expect(await ask(watch, 'guest-get-osinfo')).toContain('return');

    expect(await ask(first, 'guest-fsfreeze-freeze')).toMatch(/^\{"return": \d+\}$/);
    expect(await ask(watch, 'guest-fsfreeze-status')).toBe('{"return": "frozen"}');
    expect(await ask(tools, 'guest-exec', exec)).toContain(disabled);
    expect(await ask(tools, 'guest-fsfreeze-thaw')).toMatch(/^\{"return": \d+\}$/);

    const { return: handle } = JSON.parse(await ask(tools, 'guest-file-open', { path: '/etc/hostname' })) as { return: number };
    expect(await ask(tools, 'guest-file-read', { handle })).toContain('buf-b64');
    expect(await ask(also, 'guest-file-read', { handle })).toContain(disabled);
    expect(await ask(tools, 'guest-file-close', { handle })).toBe('{"return": {}}');
    for (const client of [first, tools, watch, also]) client.close();
  });

  it('serves the others while the host of one takes nothing, or stops within a request', async () => {
    const agent = await start([...unix('tools'), ...unix('half')]);
    const [first, tools, half] = [await agent.connect(), await agent.connect(place('tools')), await agent.connect(place('half'))];
    tools.pause();
    tools.send(`${JSON.stringify({ execute: 'guest-info' })}\n`.repeat(2000));
    half.send('{"execute": "guest-ping", "arguments": {"x": "');

    for (let one = 0; one < 20; one += 1) expect(await ask(first, 'guest-ping')).toBe('{"return": {}}');
    for (const client of [first, tools, half]) client.close();
  });

  it('waits for a channel that cannot be opened, says so, and serves the others meanwhile', async () => {
    const agent = await start(['[channel late]', 'method=unix-listen', `path=${place('no/late')}`, ...unix('tools')]);
    const tools = await agent.connect(place('tools'));

    expect(await ask(tools, 'guest-ping')).toBe('{"return": {}}');
    await until(() => agent.stderr.includes('trying again until it works'));
    mkdirSync(place('no'), { mode: 0o700 });
    const late = await agent.connect(place('no/late'));

    expect(await ask(late, 'guest-ping')).toBe('{"return": {}}');
    for (const client of [tools, late]) client.close();
  });

  it.skipIf(!hasPython)(`has a serial line beside a socket, and goes on when it is cut${hasPython ? '' : ' (needs python3)'}`, async () => {
    const line = await PseudoTerminal.open();
    const agent = await start(['[channel line]', 'method=isa-serial', `path=${line.path}`, 'profile=observe']);
    const first = await agent.connect();
    line.send(Buffer.from(`${JSON.stringify({ execute: 'guest-exec', arguments: exec })}\n{"execute": "guest-ping"}\n`));

    expect(await line.line()).toContain(disabled);
    expect(await line.line()).toBe('{"return": {}}');
    await line.close();
    expect(await ask(first, 'guest-ping')).toBe('{"return": {}}');
    await until(() => agent.stderr.includes('opening it again'));
    expect(await ask(first, 'guest-ping')).toBe('{"return": {}}');
    first.close();
  });

  it.skipIf(!hasPython)(`does not serve one serial line by two channels, whatever its names are${hasPython ? '' : ' (needs python3)'}`, async () => {
    const line = await PseudoTerminal.open();
    symlinkSync(line.path, place('link'));
    const agent = await start(['[channel line]', 'method=isa-serial', `path=${line.path}`, 'profile=observe', '[channel full]', 'method=isa-serial', `path=${place('link')}`, 'profile=full']);

    await until(() => agent.stderr.includes('another channel of this agent is this device'));
    for (let one = 0; one < 10; one += 1) {
      line.send(Buffer.from(`${JSON.stringify({ execute: 'guest-exec', arguments: exec })}\n`));
      expect(await line.line()).toContain(disabled);
    }
    await line.close();
  });

  it('is told by rules by name, reads them anew at SIGHUP, and audits channel and process', async () => {
    const agent = await start(unix('tools'), { own: [`audit=${place('audit')}`] });
    const tools = await agent.connect(place('tools'));
    expect(await ask(tools, 'guest-fstrim')).toContain('return');
    writeFileSync(place('policy.d/a.yaml'), 'rules:\n  - { name: no-trim, effect: refuse, commands: [guest-fstrim], channels: [tools] }\n  - { name: typo, effect: refuse, commands: [guest-ping], channels: [toolz] }\n', { mode: 0o600 });
    agent.signal('SIGHUP');

    await until(() => agent.stderr.includes("no channel is named 'toolz'"));
    expect(agent.stderr).toContain('(did you mean tools?)');
    await expect.poll(() => ask(tools, 'guest-fstrim'), { timeout: 30_000 }).toContain(disabled);
    // Written behind the answer.
    const entries = (): readonly object[] => readFileSync(place('audit'), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as object);
    await expect.poll(() => entries().at(-1), { timeout: 30_000 }).toMatchObject({ rule: 'no-trim', result: 'refused' });
    expect(entries()[0]).toMatchObject({ channel: 'tools', command: 'guest-fstrim', peer: { pid: process.pid, uid: process.getuid?.() }, result: 'done' });
    tools.close();
  });

  it('takes away what it has made when it ends', async () => {
    const agent = await start(unix('tools'));
    // Each channel is made on its own.
    await until(() => existsSync(place('tools')));

    agent.signal('SIGTERM');

    expect(await agent.end()).toEqual({ code: 0, signal: null });
    expect(existsSync(place('tools'))).toBe(false);
  });

  it('does not start with a group that is not understood', async () => {
    writeFileSync(place('conf'), '[channel tools]\nmethod=unix-listen\npath=/s\nprofle=observe\n', { mode: 0o600 });
    const agent = new AgentProcess({ directory, words: ['-c', place('conf')] });

    expect(await agent.end()).toEqual({ code: 1, signal: null });
    expect(agent.stderr).toContain('line 4, [channel tools]: there is no key profle (did you mean profile?)');
  });
});

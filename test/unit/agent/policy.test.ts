// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { agentOnFake, refusal, request } from './agent-on-fake.ts';

const disabled = (name: string): string => refusal(`Command ${name} has been disabled: the command is not allowed`, 'CommandNotFound');

async function ask(lists: { allow?: readonly string[]; block?: readonly string[] }, ...names: readonly string[]): Promise<string[]> {
  const { connect } = await agentOnFake({ lists });
  const host = connect();
  const answers: string[] = [];
  for (const name of names) {
    host.send(request(name));
    answers.push(await host.nextLine());
  }
  return answers;
}

describe('the lists of commands', () => {
  it('an allow list admits only its own names', async () => {
    const [allowed, other] = await ask({ allow: ['guest-ping'] }, 'guest-ping', 'guest-get-host-name');

    expect(allowed).toBe('{"return": {}}');
    expect(other).toBe(disabled('guest-get-host-name'));
  });

  it('a block list wins over an allow list', async () => {
    expect(await ask({ allow: ['guest-ping'], block: ['guest-ping'] }, 'guest-ping')).toEqual([disabled('guest-ping')]);
  });

  it('a disabled command is reported as disabled whatever its arguments are', async () => {
    expect(await ask({ block: ['guest-file-open'] }, 'guest-file-open')).toEqual([disabled('guest-file-open')]);
  });

  it('the log names the rule, which the host is not told: as a warning once, then for those who want to see everything', async () => {
    const { connect, log } = await agentOnFake({ lists: { block: ['guest-ping'] } });
    const host = connect();
    host.send(request('guest-ping'));
    await host.nextLine();
    host.send(request('guest-ping'));
    await host.nextLine();

    const line = 'refused guest-ping: guest-ping is on the block list (block-rpcs)';
    expect(log.lines.filter(({ text }) => text === line).map(({ level }) => level)).toEqual(['warning', 'info']);
  });

  it('a name that is no command is a warning, for a typing mistake in a block list is a hole', async () => {
    const { log } = await agentOnFake({ lists: { block: ['guest-exek'], allow: ['guest-pin'] } });

    expect(log.lines.filter(({ level }) => level === 'warning').map(({ text }) => text)).toEqual([
      "no command is named 'guest-pin': check block-rpcs and allow-rpcs",
      "no command is named 'guest-exek': check block-rpcs and allow-rpcs",
    ]);
  });

  it('while frozen only the way out is open, even where the lists forbid it', async () => {
    const { connect } = await agentOnFake({ lists: { block: ['guest-fsfreeze-thaw', 'guest-ping'] } });
    const host = connect();
    const say = async (name: string): Promise<string> => {
      host.send(request(name));
      return host.nextLine();
    };
    await say('guest-fsfreeze-freeze');

    expect(await say('guest-ping')).toBe('{"return": {}}');
    expect(await say('guest-get-time')).toBe(disabled('guest-get-time'));
    expect(await say('guest-fsfreeze-freeze')).toBe(disabled('guest-fsfreeze-freeze'));
    expect(await say('guest-fsfreeze-thaw')).toMatch(/^\{"return": [1-9]/);
    expect(await say('guest-fsfreeze-thaw')).toBe(disabled('guest-fsfreeze-thaw'));
  });
});

describe('the commands of a machine', () => {
  it('are those whose ports the backend brings', async () => {
    const { connect } = await agentOnFake({ backend: ({ clock }) => ({ clock }) });
    const host = connect();

    host.send(request('guest-info') + request('guest-file-open', { path: '/x' }));
    const info = JSON.parse(await host.nextLine()) as { return: { supported_commands: { name: string }[] } };

    expect(info.return.supported_commands.map(({ name }) => name)).toEqual([
      'guest-info', 'guest-set-time', 'guest-get-time', 'guest-ping', 'guest-sync', 'guest-sync-delimited',
    ]);
    expect(await host.nextLine()).toBe(refusal('The command guest-file-open has not been found', 'CommandNotFound'));
  });

  it('a way of suspending that the machine does not know is no command', async () => {
    const { agent } = await agentOnFake({ machine: { suspend: { modes: ['ram'], able: ['ram'] } } });

    const names = agent.dispatcher.list('').map(({ schema }) => schema.name);

    expect(names).toContain('guest-suspend-ram');
    expect(names).not.toContain('guest-suspend-disk');
    expect(names).not.toContain('guest-suspend-hybrid');
  });
});

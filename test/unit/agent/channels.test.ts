// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { MAX_UNDER_WAY } from '../../../core/dispatch.ts';
import { profiles } from '../../../core/policy/profiles.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import type { AuditEntry } from '../../../core/ports/index.ts';
import { agentOnFake, request } from './agent-on-fake.ts';

const files = { files: { '/srv/a': 'a' } };
const notAllowed = 'Command guest-exec has been disabled: the command is not allowed';

/** An agent with channels beside its first, and one host of each. */
async function guest(options: Parameters<typeof agentOnFake>[0] = {}) {
  const made = await agentOnFake({ machine: files, channel: 'virtio-serial', channels: [{ name: 'tools', handles: 'own' }, { name: 'beside', handles: 'shared' }], ...options });
  const ask = (name?: string) => {
    const host = made.connect(name);
    return async (command: string, args?: object): Promise<string> => {
      host.send(request(command, args));
      return host.nextLine();
    };
  };
  return { ...made, first: ask(), tools: ask('tools'), beside: ask('beside') };
}

const at = (names: readonly string[], rules: readonly Rule[]): readonly Rule[] => rules.map((rule) => ({ ...rule, at: names }));

describe('several channels of one agent', () => {
  it('have a profile each', async () => {
    const { first, tools, beside } = await guest({
      policy: { rules: [...at(['virtio-serial', 'beside'], profiles.manage)], otherwise: 'allow', methods: new Map([['tools', 'unix-listen'], ['beside', 'unix-listen']]) },
    });

    expect(await first('guest-exec', { path: '/bin/x' })).toContain(notAllowed);
    expect(await beside('guest-exec', { path: '/bin/x' })).toContain(notAllowed);
    expect(await tools('guest-exec', { path: '/bin/x' })).not.toContain('disabled');
    expect(await tools('guest-info')).toContain('{"enabled": true, "name": "guest-exec"');
    expect(await first('guest-info')).toContain('{"enabled": false, "name": "guest-exec"');
  });

  it('are meant by rules by their names, and all of a method by that', async () => {
    const refuse = (name: string, command: string, channels: readonly string[]): Rule => ({ name, effect: 'refuse', commands: [command], channels, tell: 'log', origin: { kind: 'built-in' } });
    const { first, tools, beside } = await guest({
      policy: {
        rules: [refuse('a', 'guest-ping', ['tools']), refuse('b', 'guest-get-time', ['unix-listen']), refuse('c', 'guest-get-users', ['virtio-serial'])],
        otherwise: 'allow',
        methods: new Map([['tools', 'unix-listen'], ['beside', 'unix-listen']]),
      },
    });
    const refused = async (command: string): Promise<readonly boolean[]> => Promise.all([first, tools, beside].map(async (ask) => (await ask(command)).includes('disabled')));

    expect(await refused('guest-ping')).toEqual([false, true, false]);
    expect(await refused('guest-get-time')).toEqual([false, true, true]);
    expect(await refused('guest-get-users')).toEqual([true, false, false]);
  });

  it('have one freeze: what one has frozen another one sees, is refused by, and thaws', async () => {
    const { first, tools } = await guest();
    await first('guest-fsfreeze-freeze');

    expect(await tools('guest-fsfreeze-status')).toBe('{"return": "frozen"}');
    expect(await tools('guest-file-open', { path: '/srv/a' })).toContain('disabled');
    expect(await tools('guest-fsfreeze-thaw')).toMatch(/\{"return": \d+\}/);
    expect(await first('guest-fsfreeze-status')).toBe('{"return": "thawed"}');
  });

  it('know the files and programs of their own alone, or those of the first where they are told so', async () => {
    const { first, tools, beside, agent } = await guest({ machine: { files: { ...files.files, '/bin/x': { program: () => 0 } } } });
    const handleOf = (line: string): number => (JSON.parse(line) as { return: number }).return;
    const [handle, other] = [handleOf(await first('guest-file-open', { path: '/srv/a' })), handleOf(await tools('guest-file-open', { path: '/srv/a' }))];
    const { pid } = (JSON.parse(await first('guest-exec', { path: '/bin/x' })) as { return: { pid: number } }).return;

    expect(handle).not.toBe(other);
    expect(await tools('guest-file-read', { handle })).toContain(`handle '${handle}' has not been found`);
    expect(await first('guest-file-read', { handle: other })).toContain(`handle '${other}' has not been found`);
    expect(await beside('guest-file-read', { handle })).toContain('"buf-b64": "YQ=="');
    expect(await tools('guest-exec-status', { pid })).toContain('error');
    expect(await beside('guest-exec-status', { pid })).toContain('"exited"');
    expect(agent.isQuiet).toBe(false);
  });

  it('are told apart in the audit, with who asked where the system tells', async () => {
    const entries: AuditEntry[] = [];
    const { first, tools, agent } = await guest({ audit: { record: (entry) => void entries.push(entry) } });
    await first('guest-fstrim');
    await tools('guest-fstrim');
    let said = '';
    agent.serve({
      peer: { pid: 7, uid: 1000 },
      start: (sink) => {
        sink.hostChanged();
        sink.data(Buffer.from(request('guest-fstrim')));
      },
      write: (bytes) => ((said += String(bytes)), true), pause: () => undefined, resume: () => undefined, close: () => undefined,
    }, 'tools');
    await expect.poll(() => said).toContain('return');

    expect(entries.map(({ channel, peer }) => ({ channel, peer }))).toEqual([{ channel: 'virtio-serial', peer: undefined }, { channel: 'tools', peer: undefined }, { channel: 'tools', peer: { pid: 7, uid: 1000 } }]);
  });

  it('do not wait for each other: one full of requests that hang leaves room for the others', async () => {
    const { machine, connect, tools, first } = await guest();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true, times: MAX_UNDER_WAY });
    for (let one = 0; one < MAX_UNDER_WAY; one += 1) connect('tools').send(request('guest-file-open', { path: '/srv/a' }));
    await expect.poll(() => fault.hanging).toBe(MAX_UNDER_WAY);

    expect(await tools('guest-file-open', { path: '/srv/a' })).toContain(`${MAX_UNDER_WAY} requests are being worked on already`);
    expect(await first('guest-file-open', { path: '/srv/a' })).toMatch(/\{"return": \d+\}/);
    fault.release();
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { isAudited, recordedArguments } from '../../../core/audit.ts';
import { handlers } from '../../../core/commands/index.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import type { AuditEntry } from '../../../core/ports/index.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';
import type { SchemaType } from '../../../core/schema/types.ts';
import { randomFrom } from '../policy/generated.ts';
import { agentOnFake, request } from './agent-on-fake.ts';

const schemas: readonly CommandSchema[] = commands;
const requests = Number(process.env['CONCIERGE_CASES'] ?? 20_000);
const seed = Number(process.env['CONCIERGE_SEED'] ?? Date.now() % 1_000_000_000);

async function guest(options: Parameters<typeof agentOnFake>[0] = {}) {
  const entries: AuditEntry[] = [];
  const made = await agentOnFake({ channel: 'virtio-serial', ...options, audit: { record: (entry) => void entries.push(entry) } });
  const host = made.connect();
  const ask = async (name: string, args?: object): Promise<string> => {
    host.send(request(name, args));
    return host.nextLine();
  };
  return { ...made, entries, ask, host };
}

const rule = (name: string, effect: Rule['effect'], rest: Partial<Rule> = {}): Rule => ({ name, effect, tell: 'log', origin: { kind: 'built-in' }, ...rest });

describe('the audit', () => {
  it('has one entry for each command that changes something, and none for those that ask', async () => {
    for (const { schema } of handlers) {
      const { entries, host } = await guest({ machine: { suspend: { modes: ['disk', 'ram', 'hybrid'], able: ['disk', 'ram', 'hybrid'] } } });
      host.send(request(schema.name) + request('guest-ping'));
      for (let line = ''; line !== '{"return": {}}'; ) line = (await host.nextLine()).replace(/^\xff/, '');

      expect([schema.name, entries.length]).toEqual([schema.name, isAudited(schema) ? 1 : 0]);
    }
  });

  it('says what was asked for, by which rule it was allowed, and what came of it', async () => {
    const { entries, ask } = await guest({ policy: { rules: [rule('files', 'allow', { groups: ['files'], when: { files: { read: ['/etc'] } } })], otherwise: 'allow' } });
    await ask('guest-file-open', { path: '/etc/motd' });
    await ask('guest-file-open', { path: '/nowhere' });
    await ask('guest-file-open', {});
    await ask('guest-set-vcpus', { vcpus: [{ 'logical-id': 1, online: true }] });
    await ask('guest-set-time', { time: 4_000_000_000_000_000_000 });

    expect(entries.map(({ at, microseconds, ...rest }) => ({ ...rest, at: at > 0n, microseconds: microseconds >= 0 }))).toEqual([
      { command: 'guest-file-open', arguments: { path: '/etc/motd' }, rule: 'files', result: 'done' },
      { command: 'guest-file-open', arguments: { path: '/nowhere' }, rule: 'files', result: 'failed', code: 'ENOENT' },
      { command: 'guest-file-open', rule: 'default', result: 'failed' },
      { command: 'guest-set-vcpus', arguments: { vcpus: [{ 'logical-id': 1, online: true }] }, rule: 'default', result: 'done' },
      { command: 'guest-set-time', arguments: { time: '4000000000000000000' }, rule: 'default', result: 'failed' },
    ].map((one) => ({ channel: 'virtio-serial', ...one, at: true, microseconds: true })));
  });

  it('has every refusal, by name, by argument and by what was opened', async () => {
    const { entries, ask } = await guest({
      policy: {
        rules: [rule('no time', 'refuse', { commands: ['guest-get-time'] }), rule('bob', 'refuse', { when: { users: ['bob'] } }), rule('no shadow', 'refuse', { when: { files: { read: ['/etc/shadow'] } } })],
        otherwise: 'allow',
      },
    });
    await ask('guest-get-time');
    await ask('guest-ssh-get-authorized-keys', { username: 'bob' });
    await ask('guest-file-open', { path: '/etc/shadow' });
    await ask('guest-fsfreeze-freeze');
    await ask('guest-get-load');
    await ask('guest-fsfreeze-thaw');

    expect(entries.map(({ command, rule: by, result }) => [command, by, result])).toEqual([
      ['guest-get-time', 'no time', 'refused'], ['guest-ssh-get-authorized-keys', 'bob', 'refused'], ['guest-file-open', 'no shadow', 'refused'],
      ['guest-fsfreeze-freeze', 'default', 'done'], ['guest-get-load', undefined, 'refused'], ['guest-fsfreeze-thaw', undefined, 'done'],
    ]);
  });

  it('records a command of which the channel learns nothing', async () => {
    const { entries, host } = await guest();
    host.send(request('guest-shutdown', { mode: 'powerdown' }) + request('guest-ping'));
    await host.nextLine();

    expect(entries).toMatchObject([{ command: 'guest-shutdown', arguments: { mode: 'powerdown' }, result: 'done' }]);
  });

  it('leaves secrets out, and says that they were given', async () => {
    const { entries, ask } = await guest();
    await ask('guest-set-user-password', { username: 'bob', password: 'aHVudGVyMg==', crypted: false });
    await ask('guest-exec', { path: '/nowhere', arg: ['--password=hunter2'], env: ['PASSWORD=hunter2'], 'input-data': 'aHVudGVyMg==', 'capture-output': 'merged' });

    expect(entries.map(({ arguments: args, withheld }) => [args, withheld])).toEqual([
      [{ username: 'bob', crypted: false }, ['password']],
      [{ path: '/nowhere', 'capture-output': 'merged' }, ['arg', 'env', 'input-data']],
    ]);
  });
});

describe(`arguments that are recorded (CONCIERGE_SEED=${seed})`, () => {
  it(`have no secret of ${requests} generated requests in them, and are bounded`, () => {
    const random = randomFrom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const valueOf = (type: SchemaType, secret: string): unknown => {
      switch (type.kind) {
        case 'int': case 'uint64': case 'uint16': return BigInt(below(2 ** 31)) ** BigInt(1 + below(2));
        case 'number': return random();
        case 'bool': return random() < 0.5;
        case 'str': return ['', secret, `x=${secret}`, `${secret}\n`.repeat(1 + below(3))][below(4)];
        case 'enum': return type.values[below(type.values.length)];
        case 'list': return Array.from({ length: below(below(10) === 0 ? 100 : 4) }, () => valueOf(type.of, secret));
        case 'struct': return Object.fromEntries(Object.entries(type.members).map(([name, member]) => [name, valueOf(member.type, secret)]));
        case 'nothing': return undefined;
        default: return random() < 0.5 ? valueOf(type.plain, secret) : valueOf(type.words, secret);
      }
    };
    const withText = schemas.filter((schema) => Object.keys(schema.arguments).length > 0);
    for (let round = 0; round < requests; round += 1) {
      const schema = withText[below(withText.length)] as CommandSchema;
      const secret = `s3cr3t-${round}`;
      const args = Object.fromEntries(Object.entries(schema.arguments).flatMap(([name, { optional, type, shown }]) =>
        (optional && random() < 0.3 ? [] : [[name, valueOf(type, shown === true ? 'harmless' : secret)]])));

      const line = JSON.stringify(recordedArguments(schema.arguments, args));

      expect(line).not.toContain('s3cr3t');
      expect(line.length).toBeLessThan(80_000);
    }
  });
});

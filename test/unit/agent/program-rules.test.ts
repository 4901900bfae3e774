// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import type { Rule } from '../../../core/policy/rule.ts';
import { agentOnFake, refusal, request } from './agent-on-fake.ts';

const start = '__org.concierge_exec-start';

const rule = (effect: Rule['effect'], rest: Partial<Rule>): Rule => ({ name: 'one', effect, tell: 'log', origin: { kind: 'built-in' }, ...rest });

const disabled = refusal(`Command ${start} has been disabled: the command is not allowed`, 'CommandNotFound');

async function guest(rules: readonly Rule[], options: Parameters<typeof agentOnFake>[0] = {}) {
  const made = await agentOnFake({ ...options, policy: { rules, otherwise: 'refuse' } });
  const host = made.connect();
  return async (name: string, args?: object): Promise<string> => {
    host.send(request(name, args));
    return host.nextLine();
  };
}

describe('rules about programs, of programs that are conversed with', () => {
  const echo = [rule('allow', { groups: ['exec'], when: { programs: ['/usr/bin/echo'] } })];

  it('admit what would really be executed, by its name too, and what goes on with it', async () => {
    const ask = await guest(echo);

    const { return: { program } } = JSON.parse(await ask(start, { path: 'echo', arg: ['x'] })) as { return: { program: number } };

    expect(await ask('__org.concierge_exec-exchange', { program })).toContain('"input-accepted": 0');
    expect(await ask(start, { path: '/bin/echo' })).toContain('"return"');
  });

  it.each([
    [{ path: '/bin/cat' }], [{ path: 'cat' }], [{ path: '/bin/echo', env: ['LD_PRELOAD=/tmp/x'] }], [{ path: '/bin/echo', env: ['HOME'] }],
    [{ path: '/usr/bin/echo/../cat' }], [{ path: 'echo', env: ['PATH=/tmp'] }],
  ])('refuse %j', async (args) => {
    const ask = await guest(echo);

    expect(await ask(start, args)).toMatch(/^\{"error": /);
    expect(await ask(start, args)).not.toContain('internal');
  });

  it('look where the changed PATH says, and say what the system says of it', async () => {
    const ask = await guest([rule('allow', { groups: ['exec'], when: { programs: ['/usr/bin/echo'], environment: ['PATH'] } })]);

    expect(await ask(start, { path: 'echo', env: ['PATH=/nowhere'] })).toContain('Failed to execute child process \\u201Cecho\\u201D (No such file or directory)');
    expect(await ask(start, { path: 'echo', env: ['PATH'] })).toContain('"return"');
    expect(await ask(start, { path: 'echo', env: ['PATH=/usr/bin'] })).toContain('"return"');
  });

  it('about users: one that is named is compared, and none is no name that could be allowed', async () => {
    const allowing = await guest([rule('allow', { groups: ['exec'], when: { users: ['bob'] } })]);
    const refusing = await guest([rule('refuse', { groups: ['exec'], when: { users: ['root'] } }), rule('allow', { groups: ['exec'] })]);

    expect(await allowing(start, { path: '/bin/true', user: 'bob' })).toContain('"return"');
    expect(await allowing(start, { path: '/bin/true', user: 'root' })).toBe(disabled);
    expect(await allowing(start, { path: '/bin/true' })).toBe(disabled);
    expect(await refusing(start, { path: '/bin/true', user: 'bob' })).toContain('"return"');
    expect(await refusing(start, { path: '/bin/true' })).toBe(disabled);
  });

  it('about users: who is given groups is no longer what the name says', async () => {
    const allowing = await guest([rule('allow', { groups: ['exec'], when: { users: ['bob'] } })]);
    const refusing = await guest([rule('refuse', { groups: ['exec'], when: { users: ['root'] } }), rule('allow', { groups: ['exec'] })]);

    expect(await allowing(start, { path: '/bin/true', user: 'bob', groups: [] })).toContain('"return"');
    expect(await allowing(start, { path: '/bin/true', user: 'bob', groups: ['root'] })).toBe(disabled);
    expect(await refusing(start, { path: '/bin/true', user: 'bob', groups: ['root'] })).toBe(disabled);
  });

  it('about users: guest-exec is about whoever the agent is', async () => {
    const refusing = await guest([rule('refuse', { groups: ['exec'], when: { users: ['root'] } }), rule('allow', { groups: ['exec'] })]);

    expect(await refusing('guest-exec', { path: '/bin/true' })).toBe(refusal('Command guest-exec has been disabled: the command is not allowed', 'CommandNotFound'));
  });

  it('about users hold of what goes on with a program that they allowed', async () => {
    const ask = await guest([rule('allow', { groups: ['exec'], when: { users: ['bob'] } })]);
    const { return: { program } } = JSON.parse(await ask(start, { path: '/bin/true', user: 'bob' })) as { return: { program: number } };

    expect(await ask('__org.concierge_exec-exchange', { program })).toContain('"input-accepted": 0');
  });

  it('about sizes are about what a program is brought', async () => {
    const ask = await guest([rule('refuse', { commands: ['*exchange'], when: { size: { moreThan: 3n } } }), rule('allow', { groups: ['exec'] })]);
    const { return: { program } } = JSON.parse(await ask(start, { path: '/bin/cat', stdin: 'open' })) as { return: { program: number } };

    expect(await ask('__org.concierge_exec-exchange', { program, input: 'YWJj' })).toContain('"input-accepted": 3');
    expect(await ask('__org.concierge_exec-exchange', { program, input: 'YWJjZGVm' })).toContain('has been disabled');
  });
});

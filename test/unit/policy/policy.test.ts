// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { explain } from '../../../core/policy/explain.ts';
import { factsOf } from '../../../core/policy/facts.ts';
import { Policy, toldToHost, whyRefused } from '../../../core/policy/policy.ts';
import { originText, type Rule } from '../../../core/policy/rule.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';

const command = (name: string): CommandSchema => commands.find((one) => one.name === name) as CommandSchema;
const rule = (name: string, effect: Rule['effect'], rest: Partial<Rule> = {}): Rule => ({ name, effect, tell: 'log', origin: { kind: 'built-in' }, ...rest });
const none = { allow: [], block: [] };

describe('a policy', () => {
  it('without a rule allows everything, and says so by the name alone', () => {
    const policy = new Policy(none);

    for (const schema of commands) expect(policy.outlook(schema, false, 'x')).toMatchObject({ kind: 'allowed', verdict: { rule: { name: 'default' } } });
  });

  it('makes rules of the lists, of which block comes first; their names are no patterns', () => {
    const policy = new Policy({ allow: ['guest-ping', 'guest-*'], block: ['guest-info', 'guest-inf?'] });

    expect(policy.rules.map(({ name }) => name)).toEqual(['block-rpcs', 'allow-rpcs', 'default']);
    expect(policy.outlook(command('guest-info'), false, '').verdict.rule?.name).toBe('block-rpcs');
    expect(policy.outlook(command('guest-get-time'), false, '').verdict.rule?.name).toBe('allow-rpcs');
    expect(policy.outlook(command('guest-ping'), false, '').kind).toBe('allowed');
    expect(policy.unknownNames(new Set(['guest-ping', 'guest-info']))).toEqual(['guest-*', 'guest-inf?']);
  });

  it('while frozen what may be called is a matter of the freeze alone', () => {
    const policy = new Policy({ allow: [], block: ['guest-ping'] }, { rules: [rule('no', 'refuse')], otherwise: 'refuse' });

    expect(policy.outlook(command('guest-ping'), true, '')).toEqual({ kind: 'allowed', verdict: { kind: 'allowed' } });
    expect(policy.outlook(command('guest-get-time'), true, '')).toEqual({ kind: 'refused', verdict: { kind: 'refused' } });
    expect(whyRefused({}, command('guest-get-time'))).toContain('file systems are frozen');
    expect(toldToHost({})).toBe('');
  });

  it('the default says whether the host is told', () => {
    const policy = new Policy(none, { rules: [], otherwise: 'refuse', tell: 'host' });
    const { verdict } = policy.outlook(command('guest-ping'), false, '');

    expect(toldToHost(verdict)).toBe(': no rule fits (rule default)');
  });

  it('a rule whose condition the command has nothing for does not fit', () => {
    const policy = new Policy(none, { rules: [rule('users', 'refuse', { when: { users: ['*'] } }), rule('bob', 'allow', { when: { users: ['bob'] } })], otherwise: 'refuse' });

    expect(policy.outlook(command('guest-ping'), false, '').verdict.rule?.name).toBe('default');
    expect(policy.outlook(command('guest-set-user-password'), false, '').kind).toBe('depends');
  });

  it('finds a name among many', () => {
    const users = Array.from({ length: 20 }, (_none, index) => `user-${index}`);
    const policy = new Policy(none, { rules: [rule('many', 'allow', { when: { users } })], otherwise: 'refuse' });
    const schema = command('guest-set-user-password');

    expect(['user-19', 'user-20', ''].map((username) => policy.judge(schema, '', factsOf(schema, { username })).kind)).toEqual(['allowed', 'refused', 'refused']);
  });

  it('says where a rule is from', () => {
    expect([originText({ kind: 'setting' }), originText({ kind: 'built-in' }), originText({ kind: 'file', file: '/a', line: 3 })]).toEqual(['a setting', 'built in', '/a:3']);
  });
});

describe('explain', () => {
  it('tells of each rule about the command whether it fits, and what does not', () => {
    const rules = [
      rule('elsewhere', 'refuse', { channels: ['vsock-listen'] }), rule('other', 'refuse', { groups: ['files'] }), rule('mounts', 'refuse', { when: { mountPoints: ['/'] } }),
      rule('true', 'allow', { when: { programs: ['/usr/bin/true'], arguments: ['-x'] } }), rule('all', 'refuse', { groups: ['exec'] }), rule('late', 'allow'),
    ];
    const policy = new Policy(none, { rules, otherwise: 'allow' });
    const schema = command('guest-exec');
    const facts = factsOf(schema, { path: 'true', arg: ['-y'] });

    const { decision, rules: weighed } = explain(policy, schema, '', facts);

    expect(decision).toMatchObject({ kind: 'refused', rule: { name: 'all' } });
    expect(weighed.map(({ rule: { name }, fit, against, behind }) => [name, fit, against.join(), behind])).toEqual([
      ['mounts', 'no', '', false], ['true', 'no', 'arguments', false], ['all', 'yes', '', false], ['late', 'yes', '', true], ['default', 'yes', '', true],
    ]);
    expect(explain(policy, schema, '', factsOf(schema, { path: 'true', arg: ['-x'] })).decision).toMatchObject({ kind: 'unopened', what: 'program', rule: { name: 'true' } });
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { doubtsAbout } from '../../../core/policy/doubts.ts';
import { Policy } from '../../../core/policy/policy.ts';
import { type ProfileName, profiles, unusablePolicy } from '../../../core/policy/profiles.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';

const schemas: readonly CommandSchema[] = commands;
const none = { allow: [], block: [] };
const written = (name: string, rest: Partial<Rule>): Rule => ({ name, effect: 'refuse', tell: 'log', origin: { kind: 'file', file: '/p.yaml', line: 9 }, ...rest });

const doubted = (...rules: readonly Rule[]): readonly string[] =>
  doubtsAbout(new Policy(none, { rules, otherwise: 'allow' }), schemas).map(({ rule, sentence }) => `${rule.name}: ${sentence}`);

describe('doubts about rules', () => {
  it('a pattern that fits no command, a rule about none, and conditions that its commands have nothing for', () => {
    expect(doubted(
      written('a', { commands: ['guest-x*'] }),
      written('b', { except: ['guest-files*'], when: { users: ['bob'] } }),
      written('c', { commands: ['guest-ping'], except: ['guest-*'] }),
      written('d', { groups: ['power'], when: { users: ['bob'] } }),
      written('e', { commands: ['guest-exec'], when: { programs: ['/x'] } }),
    )).toEqual([
      "a: no command has a name like 'guest-x*'",
      "b: no command has a name like 'guest-files*'",
      'c: it is about no command',
      'd: it never fits: no command that it names has what its conditions are about',
    ]);
  });

  it('a rule of a profile behind one that has decided for all of its channels', () => {
    expect(doubted(
      written('power', { at: ['tools', 'serial'], groups: ['power'] }),
      written('again', { at: ['tools'], groups: ['power'] }),
      written('other', { at: ['vsock'], groups: ['power'] }),
      written('both', { at: ['serial', 'vsock'], channels: ['serial'], groups: ['power'] }),
    )).toEqual([
      'again: it never fits: rule power (/p.yaml:9) has decided before',
      'both: it never fits: rule power (/p.yaml:9) has decided before',
    ]);
  });

  it('a rule behind one that has decided, by any channel or by all of its own', () => {
    expect(doubted(
      written('files', { effect: 'allow', groups: ['files'] }),
      written('contradicts', { groups: ['files'] }),
      written('part', { groups: ['files', 'exec'] }),
      written('vsock', { channels: ['vsock'], groups: ['power'] }),
      written('again', { channels: ['vsock'], groups: ['power'] }),
      written('both', { channels: ['vsock', 'serial'], groups: ['power'] }),
      written('power', { groups: ['power'] }),
      written('conditional', { commands: ['guest-exec'], when: { programs: ['/x'] } }),
      written('third', { channels: ['vsock'], groups: ['power'] }),
    )).toEqual([
      'contradicts: it never fits: rule files (/p.yaml:9) has decided before',
      'again: it never fits: rule vsock (/p.yaml:9) has decided before',
      'conditional: it never fits: rule part (/p.yaml:9) has decided before',
      'third: it never fits: rule power (/p.yaml:9) has decided before',
    ]);
  });

  it('10 000 rules are looked through', () => {
    const rules = Array.from({ length: 10_000 }, (_none, index) => written(`r${index}`, { commands: ['guest-exec'], when: { programs: [`/x/${index}`] } }));

    expect(doubted(...rules)).toEqual([]);
  });
});

describe('a policy that cannot be used', () => {
  it('leaves the way out of a freeze open, and nothing else', () => {
    const policy = new Policy(none, unusablePolicy);

    for (const schema of schemas) expect([schema.name, policy.outlook(schema, false, '').kind]).toEqual([schema.name, schema.whileFrozen && schema.name !== '__org.concierge_generation' ? 'allowed' : 'refused']);
  });
});

describe('the default of a file', () => {
  it('may be left with nothing', () => {
    const policy = new Policy(none, { rules: [{ name: 'all', effect: 'refuse', tell: 'log', origin: { kind: 'file', file: 'a.yaml', line: 3 } }], otherwise: 'allow', defaultOrigin: { kind: 'file', file: 'a.yaml', line: 1, isDefault: true } });

    expect(doubtsAbout(policy, schemas)).toEqual([]);
    expect(policy.rules.at(-1)).toMatchObject({ name: 'default', origin: { file: 'a.yaml', line: 1 } });
  });
});

describe('the profiles', () => {
  const allowed = (name: ProfileName): readonly string[] => {
    const policy = new Policy(none, { rules: profiles[name], otherwise: 'allow' });
    return schemas.filter((schema) => policy.outlook(schema, false, '').kind === 'allowed').map(({ group }) => group);
  };

  it.each([
    ['full', ['accounts', 'exec', 'files', 'freeze', 'hardware', 'observe', 'power']],
    ['manage', ['accounts', 'freeze', 'hardware', 'observe', 'power']],
    ['backup', ['freeze', 'observe']],
    ['observe', ['observe']],
  ] as const)('%s has the groups %j', (name, groups) => {
    expect([...new Set(allowed(name))].toSorted()).toEqual(groups);
  });
});

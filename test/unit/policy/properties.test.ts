// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { glob } from '../../../core/policy/glob.ts';
import { Policy, type Decision } from '../../../core/policy/policy.ts';
import { explain } from '../../../core/policy/explain.ts';
import { Generator, methods } from './generated.ts';
import { plainJudge, toRegExp } from './plain-judge.ts';

/** More by hand: `CONCIERGE_CASES=1000000`. */
const requests = Number(process.env['CONCIERGE_CASES'] ?? 20_000);
const seed = Number(process.env['CONCIERGE_SEED'] ?? Date.now() % 1_000_000_000);
const lists = { allow: [], block: [] };

const text = ({ kind, rule }: Decision): string => `${{ allowed: 'allow', refused: 'refuse', unopened: 'later' }[kind]} ${rule?.name}`;

/** How it is asked: a command that is refused by its name is not judged further. */
function decide(policy: Policy, { schema, channel, facts }: ReturnType<Generator['request']>): Decision {
  const { kind, verdict } = policy.outlook(schema, false, channel);
  return kind === 'depends' ? policy.judge(schema, channel, facts) : verdict;
}

describe(`the policy with ${requests} generated requests (CONCIERGE_SEED=${seed})`, () => {
  it('decides as a second, plain implementation does', () => {
    const make = new Generator(seed);
    for (let round = 0; round < requests; round += 50) {
      const rules = Array.from({ length: make.below(12) }, (_none, index) => make.rule(index));
      const otherwise = make.one(['allow', 'refuse'] as const);
      const policy = new Policy(lists, { rules, otherwise, methods });
      for (let one = 0; one < 50; one += 1) {
        const request = make.request();
        const plain = plainJudge(rules, otherwise, request.schema, request.channel, request.facts);
        const { kind } = policy.outlook(request.schema, false, request.channel);

        expect(text(policy.judge(request.schema, request.channel, request.facts)), JSON.stringify({ rules, request: { ...request, schema: request.schema.name } }, bigints)).toBe(plain);
        // What is said by the name alone is never wrong, whatever is asked for.
        if (kind !== 'depends' && !plain.startsWith('later')) expect(plain.split(' ', 1)).toEqual([kind === 'allowed' ? 'allow' : 'refuse']);
      }
    }
  });

  it('a rule that is added behind never changes what an earlier one has decided', () => {
    const make = new Generator(seed + 1);
    for (let round = 0; round < requests; round += 20) {
      const rules = Array.from({ length: 1 + make.below(6) }, (_none, index) => make.rule(index));
      const [shorter, longer] = [rules, [...rules, make.rule(99)]].map((some) => new Policy(lists, { rules: some, otherwise: 'allow', methods })) as [Policy, Policy];
      for (let one = 0; one < 20; one += 1) {
        const { schema, channel, facts } = make.request();
        const before = text(shorter.judge(schema, channel, facts));
        if (!before.endsWith(' default')) expect(text(longer.judge(schema, channel, facts))).toBe(before);
      }
    }
  });

  it('what explain says is what is done', () => {
    const make = new Generator(seed + 2);
    for (let round = 0; round < requests; round += 20) {
      const policy = new Policy(lists, { rules: Array.from({ length: make.below(8) }, (_none, index) => make.rule(index)), otherwise: make.one(['allow', 'refuse'] as const), methods });
      for (let one = 0; one < 20; one += 1) {
        const request = make.request();
        const { decision, rules } = explain(policy, request.schema, request.channel, request.facts);

        expect(text(decision)).toBe(text(decide(policy, request)));
        expect(rules.some(({ rule, fit }) => rule === decision.rule && fit !== 'no')).toBe(true);
      }
    }
  });

  it('a pattern fits what a regular expression fits', () => {
    const make = new Generator(seed + 3);
    const letters = ['a', 'b', '/', '*', '**', '?', '\n', String.raw`\*`, 'a', '/'];
    const some = (from: readonly string[]): string => Array.from({ length: make.below(9) }, () => make.one(from)).join('');
    for (let round = 0; round < requests; round += 1) {
      const [pattern, given, kind] = [some(letters), some(['a', 'b', '/', '\n', '*']), make.one(['path', 'text'] as const)];
      expect(glob(pattern, kind)(given), JSON.stringify({ pattern, given, kind })).toBe(toRegExp(pattern, kind === 'path').test(given));
    }
  });

  it('a pattern is done with a long text that does not fit, with both kinds of stars in it', () => {
    expect(glob('/mnt/**data*z', 'path')(`/mnt/${'data'.repeat(50_000)}/`)).toBe(false);
    expect(glob('/mnt/**data*z', 'path')(`/mnt/${'data'.repeat(50_000)}/dataz`)).toBe(true);
  });
});

const bigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);

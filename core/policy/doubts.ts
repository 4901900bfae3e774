// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from '../schema/command.ts';
import { conditionsThatCount } from './conditions.ts';
import { glob } from './glob.ts';
import { naming, type Policy } from './policy.ts';
import { originText, type Rule } from './rule.ts';

/** Something about a rule that its author has hardly meant. */
export interface Doubt {
  readonly rule: Rule;
  readonly sentence: string;
}

/** Which rule decides about a command before all others: by every channel, or by some. */
interface Decided {
  always?: Rule;
  readonly by: Map<string, Rule>;
}

/** Rules that can never fit, and patterns that fit nothing. */
export function doubtsAbout(policy: Policy, schemas: readonly CommandSchema[]): readonly Doubt[] {
  const doubts: Doubt[] = [];
  const decided = new Map<CommandSchema, Decided>(schemas.map((schema) => [schema, { by: new Map() }]));
  for (const rule of policy.rules) {
    if (rule.origin.kind === 'file' && rule.origin.isDefault !== true) {
      const sentence = whyDoubted(rule, schemas, decided);
      if (sentence !== undefined) doubts.push({ rule, sentence });
    }
    note(rule, decided);
  }
  return doubts;
}

function whyDoubted(rule: Rule, schemas: readonly CommandSchema[], decided: ReadonlyMap<CommandSchema, Decided>): string | undefined {
  const idle = [...(rule.commands ?? []), ...(rule.except ?? [])].find((pattern) => !schemas.some(({ name }) => glob(pattern, 'text')(name)));
  if (idle !== undefined) return `no command has a name like '${idle}'`;
  const named = schemas.filter(naming(rule));
  if (named.length === 0) return 'it is about no command';
  const concerned = named.filter((schema) => conditionsThatCount(rule, schema) !== undefined);
  if (concerned.length === 0) return 'it never fits: no command that it names has what its conditions are about';
  const earlier = concerned.map((schema) => deciderOf(rule, decided.get(schema) as Decided));
  const [first] = earlier;
  return first === undefined || earlier.includes(undefined) ? undefined : `it never fits: rule ${first.name} (${originText(first.origin)}) has decided before`;
}

/** By which channels a rule is about something; absent: by any. Of a profile it is those that have the profile. */
const channelsOf = ({ channels, at }: Rule): readonly string[] | undefined => (at === undefined ? channels : channels === undefined ? at : at.filter((name) => channels.includes(name)));

function deciderOf(rule: Rule, { always, by }: Decided): Rule | undefined {
  const channels = channelsOf(rule);
  if (always !== undefined || channels === undefined) return always;
  const each = channels.map((channel) => by.get(channel));
  return each.includes(undefined) ? undefined : each[0];
}

function note(rule: Rule, decided: ReadonlyMap<CommandSchema, Decided>): void {
  const isNamed = naming(rule);
  for (const [schema, its] of decided) {
    if (!isNamed(schema) || conditionsThatCount(rule, schema)?.length !== 0) continue;
    const channels = channelsOf(rule);
    if (channels === undefined) its.always ??= rule;
    else for (const channel of channels) if (!its.by.has(channel)) its.by.set(channel, rule);
  }
}

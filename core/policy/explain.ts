// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from '../schema/command.ts';
import { conditionsFor } from './conditions.ts';
import type { Facts } from './facts.ts';
import type { Decision, Policy } from './policy.ts';
import type { ConditionName, Rule } from './rule.ts';

/** A rule about the command: whether it fits, and what about it does not. `behind`: another one has decided before. */
export interface Weighed {
  readonly rule: Rule;
  readonly fit: 'yes' | 'no' | 'unopened';
  /** Conditions that do not hold, or that the command has nothing for. */
  readonly against: readonly ConditionName[];
  readonly behind: boolean;
}

export interface Explanation {
  readonly decision: Decision;
  /** Every rule about the command and channel, in order. */
  readonly rules: readonly Weighed[];
}

/** What the policy says of a request while nothing is frozen, and what each rule had to do with it. */
export function explain(policy: Policy, schema: CommandSchema, channel: string, facts: Facts): Explanation {
  const { kind, verdict } = policy.outlook(schema, false, channel);
  const decision = kind === 'depends' ? policy.judge(schema, channel, facts) : verdict;
  let behind = false;
  const rules: Weighed[] = [];
  for (const rule of policy.rules) {
    if (!policy.names(rule, schema, channel)) continue;
    rules.push({ rule, ...weigh(policy, rule, schema, facts), behind });
    behind ||= rule === decision.rule;
  }
  return { decision, rules };
}

function weigh(policy: Policy, rule: Rule, schema: CommandSchema, facts: Facts): Pick<Weighed, 'fit' | 'against'> {
  const conditions = conditionsFor(rule, schema, policy);
  if (conditions === undefined) return { fit: 'no', against: [] };
  const fits = conditions.map(({ name, fits: test }) => ({ name, fit: test(facts) }));
  const against = fits.filter(({ fit }) => fit === false).map(({ name }) => name);
  if (against.length > 0) return { fit: 'no', against };
  return { fit: fits.some(({ fit }) => fit === undefined) ? 'unopened' : 'yes', against };
}

// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from '../schema/command.ts';
import { type Condition, conditionsFor, type Fit } from './conditions.ts';
import { type Facts, UNOPENED } from './facts.ts';
import { anyGlob, type Matcher } from './glob.ts';
import { originText, type Effect, type Origin, type Rule } from './rule.ts';

/** Names from the configuration and the command line. An empty list is no list. */
export interface PolicyLists {
  readonly allow: readonly string[];
  readonly block: readonly string[];
}

/** What is in force besides the lists. */
export interface PolicyRules {
  readonly rules: readonly Rule[];
  /** Where no rule fits. */
  readonly otherwise: Effect;
  /** Whether the host is told where no rule fits. */
  readonly tell?: Rule['tell'];
  /** Where that was written; absent: nowhere. */
  readonly defaultOrigin?: Origin;
  /** Names of variables and users are compared without case. */
  readonly caseless?: boolean;
  /** Methods of the channels that have names of their own. */
  readonly methods?: ReadonlyMap<string, string>;
}

/** `rule` is absent where the freeze decides. */
export interface Allowed { readonly kind: 'allowed'; readonly rule?: Rule }
export interface Refused { readonly kind: 'refused'; readonly rule?: Rule }
/** The rule that would decide is about what is going to be opened, or has to be looked up. */
export interface Unopened { readonly kind: 'unopened'; readonly rule: Rule; readonly what: 'file' | 'program' | 'groups' }

export type Verdict = Allowed | Refused;
export type Decision = Verdict | Unopened;

/** What is known of a command before its arguments are. */
export interface Outlook {
  /** `depends`: on what is asked for. */
  readonly kind: 'allowed' | 'refused' | 'depends';
  readonly verdict: Verdict;
}

/** A rule as it is for one command. */
interface Applied {
  readonly rule: Rule;
  readonly conditions: readonly Condition[];
  readonly decision: Verdict;
}

interface Plan {
  /** Those with conditions. */
  readonly rules: readonly Applied[];
  /** Of the first rule without. */
  readonly last: Verdict;
  readonly outlook: Outlook;
}

const ALLOWED: Allowed = { kind: 'allowed' };
const NOT_WHILE_FROZEN: Refused = { kind: 'refused' };

/**
 * Who may call what, with what. Rules in their order: the first that fits decides, and the default stands at their end. While file
 * systems are frozen they are overridden: whatever could touch a disk is refused, and the way out cannot be closed.
 */
export class Policy {
  readonly rules: readonly Rule[];
  readonly caseless: boolean;
  readonly #lists: PolicyLists;
  readonly #methods: ReadonlyMap<string, string>;
  readonly #plans = new Map<string, Map<CommandSchema, Plan>>();
  readonly #names: ReadonlyMap<Rule, (schema: CommandSchema) => boolean>;

  constructor(lists: PolicyLists, { rules, otherwise, tell = 'log', defaultOrigin = { kind: 'built-in' }, caseless = false, methods = new Map() }: PolicyRules = { rules: [], otherwise: 'allow' }) {
    this.#lists = lists;
    this.caseless = caseless;
    this.#methods = methods;
    this.rules = [...listRules(lists), ...rules, { name: 'default', effect: otherwise, reason: 'no rule fits', tell, origin: defaultOrigin }];
    this.#names = new Map(this.rules.map((rule) => [rule, naming(rule)]));
  }

  /** What can be said of a command by its name alone. */
  outlook(schema: CommandSchema, frozen: boolean, channel: string): Outlook {
    if (frozen) return schema.whileFrozen ? OPEN : CLOSED;
    return this.#plan(schema, channel).outlook;
  }

  /** Of a command that its outlook does not refuse, and that is not called while frozen. */
  judge(schema: CommandSchema, channel: string, facts: Facts): Decision {
    const { rules, last } = this.#plan(schema, channel);
    for (const { rule, conditions, decision } of rules) {
      const fit = fitOf(conditions, facts);
      if (fit === true) return decision;
      if (fit === undefined) return { kind: 'unopened', rule, what: whatIsLacking(rule, facts) };
    }
    return last;
  }

  /** Whether a rule is about a command that comes by a channel. */
  names(rule: Rule, schema: CommandSchema, channel: string): boolean {
    return this.#isBy(rule, channel) && this.#names.get(rule)?.(schema) === true;
  }

  #isBy({ channels, at }: Rule, channel: string): boolean {
    if (at?.includes(channel) === false) return false;
    return channels === undefined || channels.includes(channel) || channels.includes(this.#methods.get(channel) ?? channel);
  }

  /** Names on the lists that are no commands at all: a typing mistake in a block list is a hole. */
  unknownNames(known: ReadonlySet<string>): readonly string[] {
    return [...new Set([...this.#lists.allow, ...this.#lists.block])].filter((name) => !known.has(name));
  }

  #plan(schema: CommandSchema, channel: string): Plan {
    let plans = this.#plans.get(channel);
    if (plans === undefined) {
      plans = new Map();
      this.#plans.set(channel, plans);
    }
    let plan = plans.get(schema);
    if (plan === undefined) {
      plan = this.#made(schema, channel);
      plans.set(schema, plan);
    }
    return plan;
  }

  /** What can fit, up to the first that always does. */
  #made(schema: CommandSchema, channel: string): Plan {
    const rules: Applied[] = [];
    const last = this.rules.find((rule) => {
      const conditions = this.names(rule, schema, channel) ? conditionsFor(rule, schema, this) : undefined;
      if (conditions !== undefined && conditions.length > 0) rules.push({ rule, conditions, decision: verdictOf(rule) });
      return conditions?.length === 0;
    }) as Rule;
    const verdict = verdictOf(last);
    const isOpen = rules.length > 0 && (verdict.kind === 'allowed' || rules.some(({ rule }) => rule.effect === 'allow'));
    return { rules, last: verdict, outlook: { kind: isOpen ? 'depends' : verdict.kind, verdict } };
  }
}

const OPEN: Outlook = { kind: 'allowed', verdict: ALLOWED };
const CLOSED: Outlook = { kind: 'refused', verdict: NOT_WHILE_FROZEN };

function whatIsLacking({ when }: Rule, { program, userGroups }: Facts): Unopened['what'] {
  if (userGroups === UNOPENED && when?.userGroups !== undefined) return 'groups';
  return program === undefined ? 'file' : 'program';
}

const verdictOf = (rule: Rule): Verdict => ({ kind: rule.effect === 'allow' ? 'allowed' : 'refused', rule });

/** Whether a rule fits. It is not known while one condition is about what has not been opened, and all others hold. */
export function fitOf(conditions: readonly Condition[], facts: Facts): Fit {
  let fit: Fit = true;
  for (let index = 0; index < conditions.length; index += 1) {
    const its = (conditions[index] as Condition).fits(facts);
    if (its === false) return false;
    if (its === undefined) fit = undefined;
  }
  return fit;
}

/** Whether a rule is about a command, whatever channel that comes by. */
export function naming({ commands, groups, except }: Pick<Rule, 'commands' | 'groups' | 'except'>): (schema: CommandSchema) => boolean {
  const isNamed: Matcher = anyGlob(commands ?? [], 'text');
  const isExcepted: Matcher = anyGlob(except ?? [], 'text');
  const isAny = commands === undefined && groups === undefined;
  return ({ name, group }) => (isAny || isNamed(name) || groups?.includes(group) === true) && !isExcepted(name);
}

/** The lists of qemu-ga are rules in front of all others; block wins. */
function listRules({ allow, block }: PolicyLists): readonly Rule[] {
  const common = { effect: 'refuse', tell: 'log', origin: { kind: 'setting' } } as const;
  return [
    ...(block.length === 0 ? [] : [{ ...common, name: 'block-rpcs', commands: block.map(literal), reason: 'is on the block list' }]),
    ...(allow.length === 0 ? [] : [{ ...common, name: 'allow-rpcs', except: allow.map(literal), reason: 'is not on the allow list' }]),
  ];
}

/** Names of the lists are no patterns: qemu-ga knows none. */
const literal = (name: string): string => name.replaceAll(/[*?\\]/g, String.raw`\$&`);

/** Why a command was refused: for the log. */
export function whyRefused({ rule }: Pick<Refused, 'rule'>, { name }: CommandSchema): string {
  if (rule === undefined) return 'file systems are frozen: only status, thaw, ping, info and sync are answered';
  if (rule.origin.kind === 'setting') return `${name} ${rule.reason} (${rule.name})`;
  return `rule ${rule.name} (${originText(rule.origin)})${rule.reason === undefined ? '' : `: ${rule.reason}`}`;
}

/** What the host is told behind the words of qemu-ga; nothing where only the log is to know. */
export function toldToHost({ rule }: Pick<Refused, 'rule'>): string {
  if (rule?.tell !== 'host') return '';
  return rule.reason === undefined ? ` (rule ${rule.name})` : `: ${rule.reason} (rule ${rule.name})`;
}

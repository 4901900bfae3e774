// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from '../schema/command.ts';
import { type Facts, type Place, UNOPENED } from './facts.ts';
import { anyGlob, glob, type Matcher } from './glob.ts';
import type { ConditionName, Conditions, Effect, Rule } from './rule.ts';

/** Whether a condition holds; `undefined`: that is seen when the thing has been opened. */
export type Fit = boolean | undefined;

export interface Condition {
  readonly name: ConditionName;
  readonly fits: (facts: Facts) => Fit;
}

/** Windows compares names of variables and of users without case. */
export interface Comparing {
  readonly caseless: boolean;
}

/** Stands at the end of patterns for arguments, for any others. */
export const REST = '...';

/** Which of the facts each condition is about. */
const factOf = {
  programs: 'program', arguments: 'arguments', environment: 'environment', files: 'file', users: 'user', userGroups: 'userGroups', mountPoints: 'mountPoints', size: 'size',
} as const satisfies Record<ConditionName, keyof Facts>;

/** Whether a command can have what a condition is about. Groups are those of a user. */
function concerns(schema: CommandSchema, condition: ConditionName): boolean {
  const fact = condition === 'userGroups' ? 'user' : factOf[condition];
  return schema.concernsAll === fact || Object.values(schema.arguments).some(({ judged }) => judged === fact);
}

/** Conditions about what was opened or started, which what goes on with it has passed. */
const passedBy: Readonly<Record<NonNullable<CommandSchema['follows']>, readonly ConditionName[]>> = {
  file: ['files'],
  program: ['programs', 'arguments', 'environment', 'users', 'userGroups'],
};

/**
 * The conditions of a rule for one command; nothing where they can never hold. A command that goes on with what was opened or
 * started is judged there: of it such a condition holds where it allows.
 */
export const conditionsFor = (rule: Rule, schema: CommandSchema, comparing: Comparing): readonly Condition[] | undefined =>
  conditionsThatCount(rule, schema)?.map((name) => conditionOf(name, rule.when as Conditions, rule.effect, comparing));

/** Their names alone. */
export function conditionsThatCount({ effect, when }: Rule, schema: CommandSchema): readonly ConditionName[] | undefined {
  if (when === undefined) return [];
  const names: ConditionName[] = [];
  for (const name of conditionNames(when, effect)) {
    if (concerns(schema, name)) names.push(name);
    else if (effect === 'refuse' || schema.follows === undefined || !passedBy[schema.follows].includes(name)) return undefined;
  }
  return names;
}

/** A program that may be run with what environment one likes may be any program. */
function conditionNames(when: Conditions, effect: Effect): readonly ConditionName[] {
  const names = (Object.keys(factOf) as ConditionName[]).filter((name) => when[name] !== undefined);
  return effect === 'allow' && when.programs !== undefined && when.environment === undefined ? [...names, 'environment'] : names;
}

function conditionOf(name: ConditionName, when: Conditions, effect: Effect, comparing: Comparing): Condition {
  // Of each name the test takes just the value.
  return { name, fits: (tests[name] as Test<unknown>)(when[name] ?? [], effect, comparing) as Condition['fits'] };
}

type Value<K extends ConditionName> = NonNullable<Conditions[K]>;
/** Looks at one of the facts, which is there where the condition concerns the command. */
type Test<V> = (value: V, effect: Effect, comparing: Comparing) => (facts: Required<Facts>) => Fit;

/** All of what is allowed has to fit, and one part of what is refused. */
function some(effect: Effect, parts: readonly string[], fits: Matcher): boolean {
  const isAllow = effect === 'allow';
  for (const part of parts) if (fits(part) !== isAllow) return !isAllow;
  return isAllow;
}

const named = (patterns: readonly string[], { caseless }: Comparing): Matcher => {
  if (!caseless) return anyGlob(patterns, 'text');
  const fits = anyGlob(patterns.map((pattern) => pattern.toLowerCase()), 'text');
  return (text) => fits(text.toLowerCase());
};

const tests: { readonly [K in ConditionName]: Test<Value<K>> } = {
  programs: (patterns, effect) => {
    const fits = anyGlob(patterns, 'path');
    return ({ program }) => {
      if (program === UNOPENED) return undefined;
      return program.distrusted === undefined ? fits(program.path) : effect === 'refuse';
    };
  },
  arguments: (patterns) => {
    const isOpen = patterns.at(-1) === REST;
    const each = (isOpen ? patterns.slice(0, -1) : patterns).map((pattern) => glob(pattern, 'text'));
    return ({ arguments: given }) => (isOpen ? given.length >= each.length : given.length === each.length) && each.every((fits, index) => fits(given[index] as string));
  },
  environment: (patterns, effect, comparing) => {
    const fits = named(patterns, comparing);
    return ({ environment }) => some(effect, environment, fits);
  },
  files: ({ read = [], write = [] }, effect) => {
    const [readable, writable] = [rootsOf(read), rootsOf(write)];
    const isAllow = effect === 'allow';
    return ({ file }) => {
      if (file === UNOPENED) return undefined;
      if (isAllow) return (!file.read || lies(file, readable, true)) && (!file.write || lies(file, writable, true));
      return (file.read && lies(file, readable, false)) || (file.write && lies(file, writable, false));
    };
  },
  // Who the agent is has no name here: no rule allows it by one, and every rule that refuses users refuses it.
  users: (patterns, effect, comparing) => {
    const fits = named(patterns, comparing);
    return ({ user }) => (user === null ? effect === 'refuse' : fits(user));
  },
  // To be in one of the groups is enough, whatever the rule does.
  userGroups: (patterns, effect, comparing) => {
    const fits = named(patterns, comparing);
    return ({ userGroups }) => {
      if (userGroups === UNOPENED) return undefined;
      return userGroups === null ? effect === 'refuse' : userGroups.some(fits);
    };
  },
  mountPoints: (patterns, effect) => {
    const fits = anyGlob(patterns, 'path');
    return ({ mountPoints }) => (mountPoints === 'all' ? effect === 'refuse' : some(effect, mountPoints, fits));
  },
  size: ({ atMost, moreThan }) => ({ size }) => (atMost === undefined || size <= atMost) && (moreThan === undefined || size > moreThan),
};

const SLASH = 0x2f;

/** A directory below which, or a file, that a rule names. */
interface Root {
  readonly path: string;
  readonly length: number;
  /** Its last character. */
  readonly last: number;
}

const rootsOf = (paths: readonly string[]): readonly Root[] => paths.map((path) => ({ path, length: path.length, last: path.charCodeAt(path.length - 1) }));

/** Whether a place lies in one of the roots: for sure where that allows, possibly where it refuses. Plain loops: a hundred rules are gone through so. */
function lies({ names, mayHaveOthers }: Place, roots: readonly Root[], isAllow: boolean): boolean {
  if (roots.length === 0) return false;
  if (mayHaveOthers) return !isAllow;
  // All of what is allowed, and one of what is refused.
  for (let index = 0; index < names.length; index += 1) if (isBelow(names[index] as string, roots) !== isAllow) return !isAllow;
  return isAllow;
}

function isBelow(name: string, roots: readonly Root[]): boolean {
  for (let index = 0; index < roots.length; index += 1) {
    const { path, length, last } = roots[index] as Root;
    // Where it ends is seen sooner than whether it stands in front.
    const mayBe = name.charCodeAt(length - 1) === last && (length === 1 || length === name.length || name.charCodeAt(length) === SLASH);
    if (mayBe && name.startsWith(path)) return true;
  }
  return false;
}

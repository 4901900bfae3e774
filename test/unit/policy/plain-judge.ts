// SPDX-License-Identifier: Apache-2.0
import type { Facts } from '../../../core/policy/facts.ts';
import type { Conditions, Rule } from '../../../core/policy/rule.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';

/**
 * The policy a second time, as docs/policy.md tells it: slow, with regular expressions, without anything prepared. Held against
 * the real one by generated requests. Of the channels `tools` has a name of its own, and is vsock-listen.
 */
export function plainJudge(rules: readonly Rule[], otherwise: 'allow' | 'refuse', schema: CommandSchema, channel: string, facts: Facts): string {
  for (const rule of rules) {
    if (!isAbout(rule, schema, channel)) continue;
    const answers = conditionAnswers(rule, schema, facts);
    if (answers.includes('no')) continue;
    return answers.includes('later') ? `later ${rule.name}` : `${rule.effect} ${rule.name}`;
  }
  return `${otherwise} default`;
}

export function toRegExp(pattern: string, isPath: boolean): RegExp {
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const two = pattern.slice(at, at + 2);
    if (pattern[at] === '\\') {
      at += 1;
      source += escaped(pattern[at] ?? '');
    } else if (two === '**') {
      at += 1;
      source += '[^]*';
    } else if (pattern[at] === '*') source += isPath ? '[^/]*' : '[^]*';
    else if (pattern[at] === '?') source += isPath ? '[^/]' : '[^]';
    else source += escaped(pattern[at] ?? '');
  }
  return new RegExp(`^(?:${source})$`);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);

const anyOf = (patterns: readonly string[], text: string, isPath: boolean): boolean => patterns.some((pattern) => toRegExp(pattern, isPath).test(text));

function isAbout(rule: Rule, schema: CommandSchema, channel: string): boolean {
  if (rule.at !== undefined && !rule.at.includes(channel)) return false;
  const names = [channel, ...(channel === 'tools' ? ['vsock-listen'] : [])];
  if (rule.channels !== undefined && !names.some((name) => rule.channels?.includes(name))) return false;
  if (rule.except !== undefined && anyOf(rule.except, schema.name, false)) return false;
  if (rule.commands === undefined && rule.groups === undefined) return true;
  return anyOf(rule.commands ?? [], schema.name, false) || (rule.groups ?? []).includes(schema.group);
}

type Answer = 'yes' | 'no' | 'later';

function conditionAnswers(rule: Rule, schema: CommandSchema, facts: Facts): readonly Answer[] {
  const when: Conditions = rule.when ?? {};
  const allows = rule.effect === 'allow';
  const answers: Answer[] = [];
  const yes = (holds: boolean): Answer => (holds ? 'yes' : 'no');
  const all = (parts: readonly string[], patterns: readonly string[], isPath: boolean): boolean =>
    (allows ? parts.every((part) => anyOf(patterns, part, isPath)) : parts.some((part) => anyOf(patterns, part, isPath)));
  const lacking = (follows: 'file' | 'program' | 'none'): Answer => yes(allows && schema.follows === follows);

  if (when.programs !== undefined) {
    const { program } = facts;
    if (program === undefined) answers.push(lacking('program'));
    else if (program === 'unopened') answers.push('later');
    else if (program.distrusted !== undefined) answers.push(yes(!allows));
    else answers.push(yes(anyOf(when.programs, program.path, true)));
  }
  if (when.arguments !== undefined) {
    const given = facts.arguments;
    const isOpen = when.arguments.at(-1) === '...';
    const patterns = isOpen ? when.arguments.slice(0, -1) : when.arguments;
    if (given === undefined) answers.push(lacking('program'));
    else if (isOpen ? given.length < patterns.length : given.length !== patterns.length) answers.push('no');
    else answers.push(yes(patterns.every((pattern, index) => toRegExp(pattern, false).test(given[index] ?? ''))));
  }
  if (when.environment !== undefined) answers.push(facts.environment === undefined ? lacking('program') : yes(all(facts.environment, when.environment, false)));
  else if (allows && when.programs !== undefined && facts.environment !== undefined) answers.push(yes(facts.environment.length === 0));
  if (when.files !== undefined) {
    const { file } = facts;
    if (file === undefined) answers.push(lacking('file'));
    else if (file === 'unopened') answers.push('later');
    else {
      const inRoots = (roots: readonly string[] = []): boolean => {
        if (file.mayHaveOthers) return !allows && roots.length > 0;
        const isIn = (name: string): boolean => roots.some((root) => name === root || name.startsWith(root === '/' ? '/' : `${root}/`));
        return roots.length > 0 && (allows ? file.names.every(isIn) : file.names.some(isIn));
      };
      if (allows) answers.push(yes((!file.read || inRoots(when.files.read)) && (!file.write || inRoots(when.files.write))));
      else answers.push(yes((file.read && inRoots(when.files.read)) || (file.write && inRoots(when.files.write))));
    }
  }
  if (when.users !== undefined) answers.push(facts.user === undefined ? lacking('program') : yes(facts.user === null ? !allows : anyOf(when.users, facts.user, false)));
  if (when.userGroups !== undefined) {
    const { userGroups } = facts;
    if (userGroups === undefined) answers.push(lacking('program'));
    else if (userGroups === 'unopened') answers.push('later');
    else answers.push(yes(userGroups === null ? !allows : userGroups.some((group) => anyOf(when.userGroups ?? [], group, false))));
  }
  if (when.mountPoints !== undefined) {
    if (facts.mountPoints === undefined) answers.push('no');
    else if (facts.mountPoints === 'all') answers.push(yes(!allows));
    else answers.push(yes(all(facts.mountPoints, when.mountPoints, true)));
  }
  if (when.size !== undefined) {
    if (facts.size === undefined) answers.push('no');
    else {
      const size = BigInt(facts.size);
      answers.push(yes((when.size.atMost === undefined || size <= when.size.atMost) && (when.size.moreThan === undefined || size > when.size.moreThan)));
    }
  }
  return answers;
}

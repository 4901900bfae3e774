// SPDX-License-Identifier: Apache-2.0
import { openModes } from '../../../core/commands/files.ts';
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import { closestName } from '../../../core/errors/closest-name.ts';
import { harmless, harmlessJson, harmlessLines } from '../../../core/errors/harmless-text.ts';
import { explain, type Explanation, type Weighed } from '../../../core/policy/explain.ts';
import { type Facts, factsOf, UNOPENED } from '../../../core/policy/facts.ts';
import { Policy } from '../../../core/policy/policy.ts';
import { originText, type Rule } from '../../../core/policy/rule.ts';
import type { Backend } from '../../../core/ports/index.ts';
import { searchAfterChanges } from '../../../core/state/search-path.ts';
import { conciergeExecStart } from '../../../core/schema/programs.ts';
import type { JsonObject, JsonValue } from '../../../core/protocol/value.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commandNames, commands } from '../../../core/schema/index.ts';
import type { SchemaType } from '../../../core/schema/types.ts';
import { validateArguments } from '../../../core/schema/validate.ts';
import { channelsKnown, noSuchChannel } from '../../policy/load-policy.ts';
import type { Settings } from '../../config/settings.ts';
import type { SubcommandContext } from '../subcommand.ts';

const verbs = ['explain', 'check', 'show'] as const;

/** Looks at the policy; nothing is opened, started or changed. */
export async function run(context: SubcommandContext): Promise<number> {
  const [verb = '', name, ...words] = context.words;
  if (verb === 'check' && name === undefined) return check(context);
  if (verb === 'show' && name === undefined) return show(context);
  if (verb === 'explain' && name !== undefined) return explainTo(context, name, words);
  const meant = closestName(verb, verbs);
  throw AgentError.failed(`${['policy', ...(verb === '' ? [] : [verb])].join(' ')}: say explain COMMAND [NAME=VALUE...], check or show${meant === undefined || meant === verb ? '' : ` (did you mean ${meant}?)`}`);
}

/** Status 1 where the agent could not use it. */
async function check({ settings, composition, print, complain }: SubcommandContext): Promise<number> {
  try {
    const { rules, files, warnings } = await composition.loadPolicy(settings);
    for (const line of warnings) complain(harmless(line));
    print(`${counted(rules.rules.length, 'rule')} of ${counted(files.length, 'file')} and ${harmless(profilesText(settings))}: ${warnings.length === 0 ? 'good' : counted(warnings.length, 'warning')}\n`);
    return 0;
  } catch (error) {
    for (const line of messageOf(error).split('\n')) complain(harmless(line));
    return 1;
  }
}

const profilesText = ({ profile, method, channels }: Settings): string =>
  (channels.length === 0 ? `the profile ${profile}` : `the profiles ${[{ name: method, profile }, ...channels].map((one) => `${one.profile} (${one.name})`).join(', ')}`);

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

async function policyOf({ settings, composition, complain }: SubcommandContext): Promise<Policy> {
  const { rules, warnings } = await composition.loadPolicy(settings);
  for (const line of warnings) complain(harmless(line));
  return new Policy({ allow: settings.allowRpcs, block: settings.blockRpcs }, rules);
}

async function show(context: SubcommandContext): Promise<number> {
  const { rules } = await policyOf(context);
  const plain = rules.map(({ origin, ...rule }) => ({ ...rule, from: originText(origin) }));
  context.print(context.flags.has('json') ? `${asJson(plain)}\n` : harmlessLines(rules.map(ruleText).join('')));
  return 0;
}

const asJson = (value: unknown): string => harmlessJson(JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? Number(member) : member), 2));

function ruleText(rule: Rule): string {
  const { name, effect, commands: named = [], groups = [], except = [], channels = [], at = [], when = {}, reason, tell, origin } = rule;
  const about = [...groups.map((group) => `group ${group}`), ...named].join(', ') || 'everything';
  const conditions = Object.entries(when).map(([condition, value]) => `  when ${condition}: ${JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? Number(member) : member))}\n`);
  return [
    `${name} (${originText(origin)}): ${effect} ${about}${except.length === 0 ? '' : ` except ${except.join(', ')}`}${channels.length === 0 ? '' : ` by ${channels.join(', ')}`}${at.length === 0 ? '' : ` (profile of ${at.join(', ')})`}\n`,
    ...conditions,
    ...(effect === 'refuse' ? [`  told to the ${tell}${reason === undefined ? '' : `: ${reason}`}\n`] : []),
  ].join('');
}

/** Status 1 where it would be refused, of several channels by one of them. */
async function explainTo(context: SubcommandContext, name: string, words: readonly string[]): Promise<number> {
  const schema: CommandSchema | undefined = commands.find((one) => one.name === name);
  if (schema === undefined) {
    const meant = closestName(name, commandNames);
    throw AgentError.failed(`no command is named '${name}'${meant === undefined ? '' : `: did you mean ${meant}?`}`);
  }
  const asked = channelsAsked(context);
  const policy = await policyOf(context);
  const given = argumentsFrom(schema, words);
  for (const argument of given.keys()) demandArgument(schema, argument);
  const args = validateArguments(schema.arguments, given);
  const explained = [];
  for (const channel of asked) explained.push({ channel, ...(await explainBy(channel, context, policy, schema, args)) });
  if (context.flags.has('json')) {
    const [first, ...others] = explained.map(({ channel, opened, decision, rules }) => ({
      command: name, channel, ...openedText(opened), decision: decision.kind, ...ruleNamed(decision.rule), rules: rules.map(weighedJson),
    }));
    context.print(`${asJson({ ...first, ...(others.length === 0 ? {} : { others }) })}\n`);
  } else {
    for (const { channel, opened, ...explanation } of explained) context.print(harmlessLines(asText(name, channel, opened, explanation, policy)));
  }
  return explained.every(({ decision }) => decision.kind === 'allowed') ? 0 : 1;
}

/** The one that is named; else each of the configuration, that of `[general]` first. */
function channelsAsked({ options, settings }: SubcommandContext): readonly string[] {
  const { method, channels } = settings;
  const served = [method, ...channels.map((one) => one.name)];
  const asked = options?.get('channel');
  if (asked === undefined) return served;
  // Of several, each has its profile; one that is not there has none.
  const known = channels.length === 0 ? channelsKnown(settings) : new Set(served);
  if (!known.has(asked)) throw AgentError.failed(noSuchChannel(asked, known));
  return [asked];
}

async function explainBy(channel: string, { composition, settings }: SubcommandContext, policy: Policy, schema: CommandSchema, args: Readonly<Record<string, unknown>>): Promise<Explanation & { readonly opened: Facts | undefined }> {
  const facts = factsOf(schema, args);
  const first = explain(policy, schema, channel, facts);
  const backend = first.decision.kind === 'unopened' ? await composition.createBackend(settings) : undefined;
  const named = backend !== undefined && isAboutGroups(first) ? { ...facts, userGroups: await groupsOf(backend, facts.user as string) } : facts;
  const second = named === facts ? first : explain(policy, schema, channel, named);
  const opened = backend !== undefined && second.decision.kind === 'unopened' ? await lookAt(backend, schema, args, named) : undefined;
  return { ...(opened === undefined ? second : explain(policy, schema, channel, opened)), opened };
}

/** One that is none, with those that there are. */
function demandArgument({ name, arguments: members }: CommandSchema, argument: string): void {
  if (Object.hasOwn(members, argument)) return;
  const names = Object.keys(members);
  const meant = closestName(argument, names);
  throw AgentError.failed(`${name} has no argument '${argument}': ${names.length === 0 ? 'it has none' : `there are ${names.join(', ')}`}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`);
}

const ruleNamed = (rule: Rule | undefined): object => (rule === undefined ? {} : { rule: rule.name, from: originText(rule.origin), ...(rule.reason !== undefined && { reason: rule.reason }) });

const weighedJson = ({ rule, fit, against, behind }: Weighed): object => ({ ...ruleNamed(rule), effect: rule.effect, fit, against, behind });

const isAboutGroups = ({ decision }: Explanation): boolean => decision.kind === 'unopened' && decision.what === 'groups';

/** Of a user, as the agent would look them up. */
async function groupsOf({ accounts }: Backend, user: string): Promise<readonly string[]> {
  if (accounts?.groups === undefined) throw AgentError.failed('this system cannot tell who is in which group: the agent would refuse it');
  return accounts.groups.of(user);
}

/** What would be opened or started, where it can be told without doing so. */
async function lookAt({ fileSystem, processes }: Backend, schema: CommandSchema, args: Readonly<Record<string, unknown>>, known: Facts): Promise<Facts> {
  const path = String(args['path']);
  if (known.program === UNOPENED) {
    if (processes?.locate === undefined) throw AgentError.failed('this system cannot tell which program would run: the agent would refuse it');
    try {
      // guest-exec gives a program its whole environment, of which the first entry of a name counts (getenv(3)).
      const env = args['env'] as readonly string[] | undefined;
      return { ...known, program: await processes.locate(path, schema.name === conciergeExecStart.name ? searchAfterChanges(env ?? []) : env) };
    } catch (error) {
      throw AgentError.failed(`the program '${path}' would not be found: ${messageOf(error)}`);
    }
  }
  const files = fileSystem?.files;
  if (files?.openAdmitted === undefined) throw AgentError.failed('this system cannot tell where a file really lies: the agent would refuse it');
  const mode = openModes.get(typeof args['mode'] === 'string' ? args['mode'] : 'r');
  if (mode === undefined) throw AgentError.failed(`invalid file open mode '${String(args['mode'])}'`);
  let file: Facts['file'];
  try {
    await files.openAdmitted(path, mode, (place) => {
      file = { ...place, read: mode.read, write: mode.write };
      throw AgentError.failed('only looked at');
    });
  } catch (error) {
    if (file === undefined) throw AgentError.failed(`the file '${path}' could not be opened: ${messageOf(error)}`);
  }
  return { ...known, file: file as NonNullable<Facts['file']> };
}

function openedText(facts: Facts | undefined): { readonly opened?: readonly string[]; readonly mayHaveOthers?: boolean; readonly distrusted?: string } {
  if (typeof facts?.program === 'object') return { opened: [facts.program.path], ...(facts.program.distrusted !== undefined && { distrusted: facts.program.distrusted }) };
  return typeof facts?.file === 'object' ? { opened: facts.file.names, mayHaveOthers: facts.file.mayHaveOthers } : {};
}

function asText(name: string, channel: string, opened: Facts | undefined, { decision, rules }: Explanation, policy: Policy): string {
  const { rule } = decision;
  const { opened: places = [], mayHaveOthers, distrusted } = openedText(opened);
  const word = { allowed: 'allowed', refused: 'refused', unopened: 'refused' }[decision.kind];
  const lines = [
    `${name} by ${channel}: ${word}${rule === undefined ? '' : ` by rule ${rule.name} (${originText(rule.origin)})${rule.reason === undefined ? '' : `: ${rule.reason}`}`}`,
    ...places.map((place) => `  what it opens is ${place}`),
    ...(mayHaveOthers === true ? ['  what it opens may show elsewhere too (a hard link, a mount of somebody else\'s): no rule allows it by its place'] : []),
    ...(distrusted === undefined ? [] : [`  others could exchange it: ${distrusted}`]),
    ...rules.filter(({ behind, rule: other }) => !behind && other !== rule).map(passedOver),
    ...(decision.kind === 'allowed' ? [] : ['To allow it:', ...remedies(rules, rule, policy)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

const passedOver = ({ rule, against }: Weighed): string =>
  `  rule ${rule.name} (${originText(rule.origin)}) does not fit: ${against.length === 0 ? 'the command has nothing for its conditions' : against.join(', ')}`;

function remedies(rules: readonly Weighed[], deciding: Rule | undefined, { rules: all }: Policy): readonly string[] {
  if (deciding?.name === 'block-rpcs' && deciding.origin.kind === 'setting') return ['  take the command out of block-rpcs'];
  if (deciding?.name === 'allow-rpcs' && deciding.origin.kind === 'setting') return ['  add the command to allow-rpcs'];
  const near = rules.filter(({ rule, behind, against }) => rule.effect === 'allow' && !behind && against.length > 0);
  const before = all.find((rule) => rule === deciding);
  return [
    ...near.map(({ rule, against }) => `  widen ${against.join(', ')} of rule ${rule.name} (${originText(rule.origin)})`),
    ...(before === undefined ? [] : [`  ${near.length === 0 ? '' : 'or '}put a rule that allows it in front of ${before.name}${before.name === 'default' ? ', or set the default to allow' : ''}${before.name === 'default' && before.origin.kind !== 'file' ? '' : ` (${originText(before.origin)})`}`]),
  ];
}

/** `NAME=VALUE` each, a list by saying it again; or one JSON object. */
function argumentsFrom(schema: CommandSchema, words: readonly string[]): JsonObject {
  const [only] = words;
  const given = new Map<string, JsonValue>();
  if (words.length === 1 && only?.startsWith('{') === true) {
    for (const [name, value] of Object.entries(parsed(only))) given.set(name, jsonValue(value));
    return given;
  }
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw AgentError.failed(`'${word}' is not NAME=VALUE`);
    const name = word.slice(0, at);
    const type = schema.arguments[name]?.type;
    const value = valueOf(type?.kind === 'list' ? type.of : type, word.slice(at + 1));
    const before = given.get(name);
    given.set(name, type?.kind === 'list' ? [...(Array.isArray(before) ? before : []), value] : value);
  }
  return given;
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw AgentError.failed(`the arguments are not JSON: ${messageOf(error)}`);
  }
}

function jsonValue(value: unknown): JsonValue {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(jsonValue);
  if (typeof value === 'object' && value !== null) return new Map(Object.entries(value).map(([name, member]) => [name, jsonValue(member)]));
  return value as JsonValue;
}

function valueOf(type: SchemaType | undefined, text: string): JsonValue {
  if (type === undefined || type.kind === 'str' || type.kind === 'enum') return text;
  if (/^[+-]?\d+$/.test(text)) return BigInt(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text.startsWith('{') ? jsonValue(parsed(text)) : text;
}

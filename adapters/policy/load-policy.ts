// SPDX-License-Identifier: Apache-2.0
import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { closestName } from '../../core/errors/closest-name.ts';
import { AgentError, messageOf, osCode } from '../../core/errors/agent-error.ts';
import { doubtsAbout } from '../../core/policy/doubts.ts';
import { Policy, type PolicyRules } from '../../core/policy/policy.ts';
import { type ProfileName, profileNames, profiles } from '../../core/policy/profiles.ts';
import { MAX_RULES, originText, type Rule } from '../../core/policy/rule.ts';
import { commandNames, commands } from '../../core/schema/index.ts';
import { channelMethods } from '../channels/methods.ts';
import { readRegularFile } from '../config/read-regular-file.ts';
import type { Settings } from '../config/settings.ts';
import { settingsTable, type Platform } from '../config/settings-table.ts';
import { closeWalk, walkPathAside } from '../shared/trust/path-walk.ts';
import { placeGuard } from '../shared/trust/place-guard.ts';
import { agentUser, whyDistrusted } from '../shared/trust/rule.ts';
import { systemError } from '../shared/system-error.ts';
import type { PolicyFile } from './parse-policy.ts';

/** Bytes of one file of rules. */
export const MAX_POLICY_FILE = 2 * 1024 * 1024;

export interface LoadedPolicy {
  readonly rules: PolicyRules;
  /** In order, that of the profile last. */
  readonly files: readonly string[];
  /** What is hardly meant, with file and line. */
  readonly warnings: readonly string[];
}

type PolicySettings = Pick<Settings, 'policyDirectory' | 'profile' | 'method' | 'allowRpcs' | 'blockRpcs' | 'channels'>;

const platform: Platform = process.platform === 'win32' ? 'windows' : 'posix';

const isBuiltIn = (profile: string): profile is ProfileName => profileNames.some((name) => name === profile);

/**
 * The rules that are in force: those of the files, then those of the profile of each channel.
 *
 * @throws failed error with a line for each mistake, or the sentence of the rule of trusted places
 */
export async function loadPolicy(settings: PolicySettings): Promise<LoadedPolicy> {
  const { policyDirectory, channels } = settings;
  const common = await filesOf(settings);
  const used = profilesOf(settings);
  const own = [...used.keys()].filter((profile) => !isBuiltIn(profile)).map((profile) => ({ profile, file: ownProfile(policyDirectory, profile) }));
  const files = [...common, ...own.map(({ file }) => file)];
  const parsed = files.length === 0 ? [] : await parseAll(files);
  const written = new Map(files.map((file, index) => [file, parsed[index] as PolicyFile]));
  const isAlone = channels.length === 0;
  const ofProfiles = [...used].flatMap(([profile, at]) => {
    const rules = isBuiltIn(profile) ? profiles[profile] : rulesOfProfile(written.get(ownProfile(policyDirectory, profile)) as PolicyFile, profile, isAlone);
    return isAlone ? rules : rules.map((rule): Rule => ({ ...rule, at }));
  });
  const rules = await withRealRoots([...common.flatMap((file) => (written.get(file) as PolicyFile).rules), ...ofProfiles]);
  demandSound(rules);
  // Of several channels a profile's default is for those that have it.
  const speakers = isAlone ? files : common;
  const policy = {
    rules,
    ...defaultOf(speakers, speakers.map((file) => written.get(file) as PolicyFile)),
    ...(platform === 'windows' && { caseless: true }),
    ...(!isAlone && { methods: new Map(channels.map(({ name, method }) => [name, method])) }),
  };
  return { rules: policy, files, warnings: warningsAbout(policy, settings) };
}

/** Which channels have a profile; the first one is called by its method. */
function profilesOf({ profile, method, channels }: PolicySettings): ReadonlyMap<string, readonly string[]> {
  const used = new Map<string, string[]>();
  for (const [its, name] of [[profile, method], ...channels.map((channel) => [channel.profile, channel.name])] as const) {
    const names = used.get(its);
    if (names === undefined) used.set(its, [name]);
    else names.push(name);
  }
  return used;
}

/** Where there are several channels its default stands at their end, as a rule. */
function rulesOfProfile({ rules, otherwise, tell = 'log', defaultOrigin = { kind: 'built-in' } }: PolicyFile, profile: string, isAlone: boolean): readonly Rule[] {
  if (isAlone || otherwise === undefined) return rules;
  return [...rules, { name: `default-of-${profile}`, effect: otherwise, reason: 'no rule fits', tell, origin: defaultOrigin }];
}

/** Whether anything can change by reading it again. */
export const hasPolicyFiles = ({ policyDirectory, profile, channels }: PolicySettings): boolean =>
  [profile, ...channels.map((channel) => channel.profile)].some((its) => !isBuiltIn(its)) || listing(policyDirectory) !== undefined;

async function filesOf({ policyDirectory }: PolicySettings): Promise<readonly string[]> {
  const names = listing(policyDirectory);
  if (names === undefined && policyDirectory !== '' && policyDirectory !== settingsTable.policyDirectory.fallback(platform)) {
    throw AgentError.failed(`there is no directory ${policyDirectory} (policy-directory)`);
  }
  if (names !== undefined) await demandTrusted(policyDirectory);
  return (names ?? []).filter((name) => /^[^.].*\.ya?ml$/.test(name)).toSorted().map((name) => join(policyDirectory, name));
}

function listing(directory: string): readonly string[] | undefined {
  if (directory === '') return undefined;
  try {
    return readdirSync(directory);
  } catch (error) {
    const failure = systemError(error, directory);
    if (osCode(failure) === 'ENOENT') return undefined;
    throw AgentError.failed(`${directory}: ${messageOf(failure)}`, error);
  }
}

/** Whoever may take a file out of it may take a rule away. */
async function demandTrusted(directory: string): Promise<void> {
  const guard = placeGuard();
  if (guard !== undefined) {
    const reason = guard.whyDistrusted(directory);
    if (reason !== undefined) throw AgentError.failed(reason);
    return;
  }
  const walk = await walkPathAside(directory);
  closeWalk(walk);
  const reason = whyDistrusted(walk.steps, agentUser());
  if (reason !== undefined) throw AgentError.failed(reason);
}

function ownProfile(directory: string, profile: string): string {
  if (!/^\w[\w-]{0,63}$/.test(profile)) throw AgentError.failed(`'${profile}' is no profile: there are ${profileNames.join(', ')}`);
  return join(dirname(directory), 'profiles', `${profile}.yaml`);
}

async function parseAll(files: readonly string[]): Promise<readonly PolicyFile[]> {
  const { parsePolicy } = await import('./parse-policy.ts');
  return files.map((file) => parsePolicy(textOf(file), { name: file, commands: commandNames }));
}

function textOf(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readRegularFile(file, MAX_POLICY_FILE);
  } catch (error) {
    const isProfile = dirname(file).endsWith('profiles') && osCode(error) === 'ENOENT';
    const meant = isProfile ? closestName(file.slice(dirname(file).length + 1, -'.yaml'.length), profileNames) : undefined;
    throw AgentError.failed(`${file}: ${messageOf(error)}${meant === undefined ? '' : ` (did you mean the profile ${meant}?)`}`, error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw AgentError.failed(`${file}: it is not UTF-8`);
  }
}

/** Of the agent's own rules. */
const reserved = ['default', 'block-rpcs', 'allow-rpcs', 'way-out', 'policy-unusable'];

/** A refusal names one rule, and there are no more than can be gone through. */
function demandSound(rules: readonly Rule[]): void {
  if (rules.length > MAX_RULES) throw AgentError.failed(`there are more than ${MAX_RULES} rules`);
  const seen = new Map<string, Rule>(reserved.map((name) => [name, { name, effect: 'refuse', tell: 'log', origin: { kind: 'built-in' } }]));
  for (const rule of rules.toReversed()) {
    const other = seen.get(rule.name);
    if (other !== undefined) throw AgentError.failed(`${originText(rule.origin)}: the name '${rule.name}' is taken (${originText(other.origin)})`);
    seen.set(rule.name, rule);
  }
}

function defaultOf(files: readonly string[], parsed: readonly PolicyFile[]): Pick<PolicyRules, 'otherwise' | 'tell' | 'defaultOrigin'> {
  const said = parsed.flatMap(({ otherwise, tell = 'log', defaultOrigin }, index) => (otherwise === undefined ? [] : [{ otherwise, tell, file: files[index], ...(defaultOrigin && { defaultOrigin }) }]));
  const [first] = said;
  if (first === undefined) return { otherwise: 'allow' };
  const other = said.find(({ otherwise }) => otherwise !== first.otherwise);
  if (other !== undefined) throw AgentError.failed(`${other.file}: the default is ${other.otherwise} here, and ${first.otherwise} in ${first.file}`);
  const { file: _, ...stated } = first;
  return stated;
}

/** What is opened is told by its real place: a root with links in it is two. */
async function withRealRoots(rules: readonly Rule[]): Promise<readonly Rule[]> {
  const known = new Map<string, readonly string[]>();
  const real = async (roots: readonly string[]): Promise<readonly string[]> => {
    for (const root of roots) if (!known.has(root)) known.set(root, [...new Set([root, await realPlace(root)])]);
    return roots.flatMap((root) => known.get(root) ?? []);
  };
  const changed: Rule[] = [];
  for (const rule of rules) {
    const files = rule.when?.files;
    if (files === undefined) changed.push(rule);
    else {
      changed.push({ ...rule, when: { ...rule.when, files: { ...(files.read && { read: await real(files.read) }), ...(files.write && { write: await real(files.write) }) } } });
    }
  }
  return changed;
}

/** What is not there yet is as it is called, below what is. */
async function realPlace(path: string): Promise<string> {
  if (process.platform !== 'linux') return realPlaceByName(path);
  const { steps, missing, ...walk } = await walkPathAside(path);
  closeWalk({ steps, missing, ...walk });
  return join(steps.findLast(({ mode }) => (mode & 0o170000) !== 0o120000)?.path ?? path, ...missing);
}

function realPlaceByName(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === '/' ? path : join(realPlaceByName(dirname(path)), path.slice(dirname(path).length));
  }
}

/** Names of channels: those that are configured, and the methods of this system. */
export const channelsKnown = ({ method, channels }: Pick<Settings, 'method' | 'channels'>): ReadonlySet<string> =>
  new Set([...channels.map(({ name }) => name), method, ...channels.map((channel) => channel.method), ...channelMethods[platform].map(({ name }): string => name)]);

/** One sentence about a channel that is not there. */
export function noSuchChannel(name: string, known: ReadonlySet<string>): string {
  const meant = closestName(name, [...known]);
  return `no channel is named '${name}': there are ${[...known].join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
}

function warningsAbout(rules: PolicyRules, settings: PolicySettings): readonly string[] {
  if (rules.rules.length === 0) return [];
  const known = channelsKnown(settings);
  const strange = rules.rules.flatMap((rule) => (rule.channels ?? []).filter((name) => !known.has(name)).map((name) => ({ rule, sentence: noSuchChannel(name, known) })));
  const policy = new Policy({ allow: settings.allowRpcs, block: settings.blockRpcs }, rules);
  return [...strange, ...doubtsAbout(policy, commands)].map(({ rule, sentence }) => `${originText(rule.origin)}: rule ${rule.name}: ${sentence}`);
}

// SPDX-License-Identifier: Apache-2.0
import { CallLimit } from '../call-limit.ts';
import { channelOf } from './channel-of.ts';
import type { CommandLine } from './command-line.ts';
import { chosen, guestListPlaces, isPattern, matches, readGuestList } from './guest-list.ts';
import type { Environment, Target } from './target.ts';
import { UsageError } from './usage-error.ts';

export interface Targets {
  readonly guests: readonly Target[];
  /** More than one could have been meant: what is told of them begins with their names. */
  readonly areMany: boolean;
}

/** Milliseconds for a daemon to tell its domains, where `--timeout` says nothing. */
const LIST_WITHIN = 30_000;

const flagsOfOne = ['socket', 'vsock', 'via', 'libvirt', 'proxmox', 'connect', 'url', 'token-file', 'fingerprint'];

/** The guests that a command line means. @throws UsageError, ClientError where libvirt is to be asked for its list */
export async function targetsOf(line: CommandLine, environment: Environment, connect = channelOf): Promise<Targets> {
  const { flags } = line;
  const named = flags.get('guest');
  if (named !== undefined || flags.has('all') || flags.has('guests')) return await fromList(line, environment, connect, named ?? '*');
  const libvirt = flags.get('libvirt');
  if (libvirt !== undefined && isPattern(libvirt)) return await fromLibvirt(line, environment, connect, libvirt);
  return { guests: [{ name: '', open: () => connect(line, environment) }], areMany: false };
}

async function fromList(line: CommandLine, environment: Environment, connect: typeof channelOf, patterns: string): Promise<Targets> {
  const other = flagsOfOne.find((flag) => line.flags.has(flag));
  if (other !== undefined) throw new UsageError(`which guests are meant: those of the list, or that of --${other}?`);
  if (line.flags.has('guest') && line.flags.has('all')) throw new UsageError('which guests are meant: --guest or --all?');
  const places = guestListPlaces(line.flags.get('guests'), environment);
  const list = chosen(await readGuestList(places), patterns, places);
  return {
    // What stands for a guest in the environment is none of the list; a token there serves all of them.
    guests: [...list].map(([name, flags]) => ({ name, open: () => connect({ ...line, flags: new Map([...flags, ...line.flags]) }, leadsSomewhere(flags) ? environment : {}) })),
    areMany: isPattern(patterns),
  };
}

const leadsSomewhere = (flags: ReadonlyMap<string, string>): boolean => ['socket', 'vsock', 'via', 'libvirt', 'proxmox'].some((way) => flags.has(way));

async function fromLibvirt(line: CommandLine, environment: Environment, connect: typeof channelOf, patterns: string): Promise<Targets> {
  const names = await domainsThatRun(line.flags, environment, patterns);
  if (names.length === 0) throw new UsageError(`no domain that runs is named ${patterns}`);
  return { guests: names.map((name) => ({ name, open: () => connect({ ...line, flags: new Map([...line.flags, ['libvirt', name]]) }, environment) })), areMany: true };
}

/** Names of libvirt's domains that run. @throws ClientError */
export async function domainsThatRun(flags: CommandLine['flags'], environment: Environment, patterns: string): Promise<readonly string[]> {
  const { Libvirt } = await import('../libvirt/libvirt.ts');
  const uri = flags.get('connect') ?? environment['LIBVIRT_DEFAULT_URI'];
  using libvirt = await Libvirt.connect({ readOnly: true, ...(uri === undefined || uri === '' ? {} : { uri }) });
  const given = flags.get('timeout');
  using limit = new CallLimit(given === undefined || !/^\d+(\.\d+)?$/.test(given) ? LIST_WITHIN : Number(given) * 1000, undefined);
  const end = new AbortController();
  limit.onExpired((error) => end.abort(error));
  return (await libvirt.domains('running', end.signal)).map(({ name }) => name).filter((name) => matches(patterns, name));
}

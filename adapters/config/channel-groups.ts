// SPDX-License-Identifier: Apache-2.0
import { posix, win32 } from 'node:path';

import { closestName } from '../../core/errors/closest-name.ts';
import { channelMethods } from '../channels/methods.ts';
import type { KeyFile } from './key-file.ts';
import { defaultPath, needsPath, type Platform } from './settings-table.ts';

/** Channels besides the one of `[general]`. */
export const MAX_CHANNELS = 8;

/** A channel besides the one of `[general]`: a group `[channel NAME]`. */
export interface NamedChannel {
  readonly name: string;
  readonly method: string;
  /** Absent for a method whose path a backend knows. */
  readonly path: string | undefined;
  readonly profile: string;
  /** Files and programs that hosts have opened and started: of this channel alone, or those of `[general]` too. */
  readonly handles: 'own' | 'shared';
  readonly vsockAllow: readonly string[];
}

/** As written; what is not is as in `[general]` and `[concierge]`. */
export type ChannelGroup = Omit<NamedChannel, 'profile'> & { readonly profile: string | undefined; readonly line: number };

/** A mistake in such a group: one that is passed over would open a channel that was not meant. */
export class ChannelGroupError extends Error {}

interface ChannelKey {
  readonly key: 'method' | 'path' | 'profile' | 'handles' | 'vsock-allow';
  readonly type: string;
  readonly fallback: string;
  readonly doc: string;
}

export const channelKeys: readonly ChannelKey[] = [
  { key: 'method', type: 'text', fallback: 'has to be there', doc: 'As in `[general]`.' },
  { key: 'path', type: 'text', fallback: 'by method, below', doc: 'As in `[general]`; no two channels have the same.' },
  { key: 'profile', type: 'text', fallback: 'that of `[concierge]`', doc: 'What a host gets by this channel where no rule of `policy-directory` decides.' },
  {
    key: 'handles',
    type: 'own or shared',
    fallback: '`own`',
    doc: 'Whose files and programs can be named by this channel: those that were opened and started by it, or those of the channel of `[general]`.',
  },
  { key: 'vsock-allow', type: 'names, with commas', fallback: '–', doc: 'As in `[concierge]`, for a vsock-listen of this group.' },
];

const keyNames = channelKeys.map(({ key }): string => key);

const groupName = /^channel ([A-Za-z0-9][\w.-]{0,31})$/;

/** Whether a group is one of these, or is hardly meant to be another. */
export const isChannelGroup = (group: string): boolean => /^channels?(?![\w-])/i.test(group);

/** The groups of a file, in the order in which they are written. @throws ChannelGroupError with the line */
export function channelGroups(file: KeyFile): readonly ChannelGroup[] {
  const groups = file.groups.filter(isChannelGroup).map((group) => channelGroup(file, group));
  const tooMany = groups[MAX_CHANNELS];
  if (tooMany !== undefined) throw new ChannelGroupError(`line ${tooMany.line}: there are more than ${MAX_CHANNELS} groups [channel NAME]`);
  return groups;
}

function channelGroup(file: KeyFile, group: string): ChannelGroup {
  const wrong = (sentence: string, key?: string): ChannelGroupError => new ChannelGroupError(`line ${file.line(group, key) ?? 0}, [${group}]: ${sentence}`);
  const name = groupName.exec(group)?.[1];
  if (name === undefined) {
    throw wrong('a channel is written [channel NAME], with a name of up to 32 letters, digits, dots, dashes and underscores that begins with a letter or digit');
  }
  const isMethod = Object.values(channelMethods).flat().some((method) => method.name === name);
  if (isMethod) throw wrong(`${name} is a method, by which rules of a policy mean every channel of it: give the channel another name`);
  const unknown = file.keys(group).find((key) => !keyNames.includes(key));
  if (unknown !== undefined) {
    const meant = closestName(unknown, keyNames);
    throw wrong(`there is no key ${unknown}${meant === undefined ? ` (there are ${keyNames.join(', ')})` : ` (did you mean ${meant}?)`}`, unknown);
  }
  const method = file.string(group, 'method');
  if (method === undefined || method === '') throw wrong('a channel needs a method');
  const handles = file.string(group, 'handles') ?? 'own';
  if (handles !== 'own' && handles !== 'shared') throw wrong(`handles are 'own' or 'shared', not '${handles}'`, 'handles');
  const profile = file.string(group, 'profile');
  if (profile === '') throw wrong('a profile has a name', 'profile');
  const vsockAllow = (file.string(group, 'vsock-allow') ?? '').split(',').filter((cid) => cid !== '');
  const noCid = vsockAllow.find((cid) => !/^\d{1,10}$/.test(cid));
  if (noCid !== undefined) throw wrong(`'${noCid}' is no CID`, 'vsock-allow');
  if (vsockAllow.length > 0 && method !== 'vsock-listen') throw wrong(`vsock-allow is for vsock-listen, and this channel is ${method}`, 'vsock-allow');
  return { name, method, path: file.string(group, 'path'), profile, handles, vsockAllow, line: file.line(group) ?? 0 };
}

/** What the groups are about besides themselves. */
export interface MainChannel {
  readonly method: string;
  readonly path: string | undefined;
  readonly profile: string;
  readonly backend: string | undefined;
}

/** The channels with what they have from elsewhere. @throws ChannelGroupError for one that cannot be, and for one that is there twice */
export function namedChannels(groups: readonly ChannelGroup[], main: MainChannel, platform: Platform): readonly NamedChannel[] {
  const places = new Map([[placeOf(main, platform), '[general]']]);
  return groups.map(({ line, ...group }) => {
    const wrong = (sentence: string): ChannelGroupError => new ChannelGroupError(`line ${line}, [channel ${group.name}]: ${sentence}`);
    if ([main.method, ...groups.map(({ method }) => method)].includes(group.name)) throw wrong(`${group.name} is a method: give the channel another name`);
    const path = group.path === undefined || group.path === '' ? defaultPath(group.method, platform) : group.path;
    const known = channelMethods[platform].map(({ name }): string => name);
    if (!known.includes(group.method) && main.backend === undefined) {
      const meant = closestName(group.method, known);
      throw wrong(`no method is named '${group.method}': there are ${known.join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`);
    }
    if (path === undefined && needsPath(group.method, platform)) throw wrong(`${group.method} needs a path (${group.method === 'vsock-listen' ? 'CID:PORT' : 'PATH'})`);
    const place = placeOf({ method: group.method, path }, platform);
    const other = places.get(place);
    if (other !== undefined) throw wrong(`${`${group.method} ${path ?? ''}`.trimEnd()} is the channel of ${other} already: give one of them another path`);
    places.set(place, `[channel ${group.name}]`);
    return { ...group, path, profile: group.profile ?? main.profile };
  });
}

/**
 * What a channel is at, however it is written: a device or a socket that two channels have is read by both, and a host gets what the wider
 * profile leaves. Of a device with two names only its opening tells (`adapters/linux/channels/open-device.ts`).
 */
function placeOf({ method, path = '' }: Pick<NamedChannel, 'method' | 'path'>, platform: Platform): string {
  if (method === 'vsock-listen') return `vsock ${path.replaceAll(/(^|:)0+(?=\d)/g, '$1')}`;
  if (path === '') return method;
  return platform === 'windows' ? win32.resolve(path).toLowerCase() : posix.resolve(path);
}

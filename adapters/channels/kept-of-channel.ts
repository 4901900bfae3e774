// SPDX-License-Identifier: Apache-2.0
import type { KeptDescriptors, KeptOfChannel } from '../../core/ports/index.ts';

/** What a channel keeps, by the methods that do so. */
const keptBy: Readonly<Record<string, string>> = { port: 'virtio-serial', line: 'isa-serial' };
const listens: ReadonlySet<string> = new Set(['unix-listen', 'vsock-listen']);

const ofChannel = /^(?:@([^/]+)\/)?(port|line|listener|listener-file|client-\d+)$/;

/** Names of a channel besides the first begin so. The first one has its names as they are: agents of earlier versions find them. */
const prefixOf = (channel: string): string => `@${channel}/`;

/** What outlives the agent, for one of the channels besides the first. */
export function keptOfChannel(kept: KeptDescriptors, channel: string): KeptOfChannel {
  const prefix = prefixOf(channel);
  return {
    take: (name, note) => kept.take(prefix + name, note),
    takeAll: (start) => kept.takeAll(prefix + start).map((taken) => ({ ...taken, name: taken.name.slice(prefix.length) })),
    input: (name) => kept.input(prefix + name),
    keep: (name, kind, note, fd) => kept.keep(prefix + name, kind, note, fd),
    drop: (name) => kept.drop(prefix + name),
    get isEnding() {
      return kept.isEnding;
    },
  };
}

/** The channels of an agent, by their names and the descriptions of their transports; that of the first one is empty. */
export type DescribedChannels = ReadonlyMap<string, string>;

/**
 * Whether what was kept under a name with a note belongs to one of these channels as they are now, or to none ever. A client
 * stays with its channel wherever that has moved to, and a listening socket with its place.
 */
export function isOfChannels(name: string, note: string, channels: DescribedChannels, asNote: (text: string) => string): boolean {
  const [, channel = '', thing] = ofChannel.exec(name) ?? [];
  if (thing === undefined) return true;
  const description = channels.get(channel);
  if (description === undefined) return false;
  const [method = '', path = ''] = splitOnce(description);
  const isOurs = listens.has(method) || Object.values(keptBy).includes(method);
  // A method of somebody else's backend has names of its own.
  if (!isOurs) return true;
  if (thing === 'listener') return note === asNote(description);
  const keeper = keptBy[thing];
  return keeper === undefined ? listens.has(method) : keeper === method && note === asNote(path);
}

function splitOnce(text: string): readonly string[] {
  const at = text.indexOf(' ');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

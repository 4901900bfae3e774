// SPDX-License-Identifier: Apache-2.0
import { osCode, messageOf } from '../../core/errors/agent-error.ts';
import { isUntrusted } from '../shared/trust/place-guard.ts';
import { type ChannelGroup, ChannelGroupError, channelGroups, isChannelGroup } from './channel-groups.ts';
import { KeyFile, KeyFileError } from './key-file.ts';
import { settingRows, type SettingName, type SettingRow } from './settings-table.ts';

/** The bytes of a regular file. @throws AgentError of kind os, or failed with a sentence */
export type ReadFile = (path: string) => Uint8Array;

export interface FileValues {
  readonly channels: readonly ChannelGroup[];
  readonly values: readonly { readonly name: SettingName; readonly row: SettingRow; readonly value: string | boolean }[];
  /** `group/key` of keys that nobody knows. */
  readonly unknown: readonly string[];
  /** Groups that nobody knows: a misspelt one takes all its keys with it. */
  readonly unknownGroups: readonly string[];
}

const knownGroups = ['general', 'concierge'] as const;

export interface Unusable {
  readonly problem: string;
  readonly missing: boolean;
  /** Others than administrators may have written it. */
  readonly untrusted: boolean;
}

export const isMissing = (loaded: FileValues | Unusable): boolean => 'missing' in loaded && loaded.missing;

/** Reads the values of one configuration file, in the order of the table. */
export function loadConfiguration(path: string, readFile: ReadFile): FileValues | Unusable {
  try {
    const file = KeyFile.parse(readFile(path));
    const known = new Set<string>();
    const values = settingRows.flatMap(([name, row]) => {
      const keys = row.alias === undefined ? [row.key] : [row.alias, row.key];
      const found = keys.flatMap((key) => {
        known.add(`${row.group}/${key}`);
        const value = row.kind === 'boolean' ? file.boolean(row.group, key) : file.string(row.group, key);
        return value === undefined ? [] : [{ name, row, value }];
      });
      // One spelling of a switch does not take back another.
      return found.some(({ value }) => value === true) ? found.filter(({ value }) => value === true) : found;
    });
    const written = knownGroups.flatMap((group) => file.keys(group).map((key) => `${group}/${key}`));
    return {
      values,
      channels: channelGroups(file),
      unknown: written.filter((key) => !known.has(key)),
      unknownGroups: file.groups.filter((group) => !isChannelGroup(group) && knownGroups.every((name) => name !== group)),
    };
  } catch (error) {
    if (error instanceof KeyFileError || error instanceof ChannelGroupError) return { problem: error.message, missing: false, untrusted: false };
    return { problem: messageOf(error), missing: osCode(error) === 'ENOENT', untrusted: isUntrusted(error) };
  }
}

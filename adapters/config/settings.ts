// SPDX-License-Identifier: Apache-2.0
import { channelMethods } from '../channels/methods.ts';
import { closestName } from '../../core/errors/closest-name.ts';
import { isMissing, loadConfiguration, type ReadFile } from './configuration-file.ts';
import { type ChannelGroup, ChannelGroupError, namedChannels, type NamedChannel } from './channel-groups.ts';
import { readCommandLine, type CommandLineOption } from './command-line.ts';
import type { GetoptItem } from './getopt.ts';
import { configurationPaths, defaultPath, needsPath, settingRows, type Platform, type SettingRow, type SettingValues } from './settings-table.ts';

/** All that is configured. */
export interface Settings extends SettingValues {
  /** There but for a channel that was handed over, and for one whose path the backend knows. */
  readonly path: string | undefined;
  /** Descriptor of a listening socket that the service manager opened; then `path` means nothing. */
  readonly handedOver: number | undefined;
  /** Channels besides this one. */
  readonly channels: readonly NamedChannel[];
}

export interface SettingsSource {
  /** The command line after the program's name. */
  readonly words: readonly string[];
  /** The file named by QGA_CONF. */
  readonly configurationVariable: string | undefined;
  readonly platform: Platform;
  readonly readFile: ReadFile;
  /** A listening socket from the service manager: it replaces method and path. */
  readonly handedOver?: { readonly fd: number; readonly method: string };
  /** Passes over configuration files, also one that is named: for a look at a machine whose file is broken. */
  readonly withoutFile?: boolean;
}

/** What the command line asks for. `complaints` are getopt's lines, to be printed behind the program's name in any case. */
export type Request = { readonly complaints: readonly string[] } & (
  /** `words` are no options: qemu-ga passes over them. */
  | {
    readonly kind: 'run' | 'dump';
    readonly settings: Settings;
    readonly warnings: readonly string[];
    readonly words: readonly string[];
    /** The configuration file that was read; `undefined` where there is none. */
    readonly file: string | undefined;
  }
  | { readonly kind: 'version' | 'help' | 'list-commands' }
  /** A word on the command line that is no option, or a value that it can't take: exit status 1. */
  | { readonly kind: 'misused' }
  /** One line that says what is wrong: exit status 1. */
  | { readonly kind: 'refused'; readonly reason: string }
);

type Values = { -readonly [N in keyof SettingValues]: SettingValues[N] };

/**
 * Puts command line and configuration file together in the order of qemu-ga 11.1: the file first (so that a missing one
 * is told even beside `--version`), then the options from left to right, of which some act at once.
 */
export function readSettings(source: SettingsSource): Request {
  const items = [...readCommandLine(source.words)];
  const complaints = items.flatMap((item) => (item.kind === 'error' ? [item.message] : []));
  const warnings: string[] = [];
  const words: string[] = [];
  const values = fallbacks(source.platform);

  const read = readFiles(source, items, values, warnings);
  if ('problem' in read) return { kind: 'refused', reason: read.problem, complaints };

  let dump = false;
  for (const item of items) {
    if (item.kind === 'error') return { kind: 'misused', complaints };
    if (item.kind === 'word') {
      words.push(item.word);
      continue;
    }
    const { option, value } = item;
    if (option.does === 'help' || option.does === 'version') return { kind: option.does, complaints };
    if (option.does === 'dump') dump = true;
    if (typeof option.does === 'string') continue;
    const { setting, row } = option.does;
    if ((setting === 'blockRpcs' || setting === 'allowRpcs') && (value === 'help' || value === '?')) return { kind: 'list-commands', complaints };
    const problem = set(values, setting, row, row.kind === 'boolean' ? true : (value ?? row.bare ?? ''));
    if (problem !== undefined) return { kind: 'refused', reason: `option --${option.long}: ${problem}`, complaints };
  }

  const settings = complete(values, source);
  if (settings === undefined) {
    return { kind: 'refused', reason: whyNoPath(values.method, source.platform), complaints };
  }
  const channels = channelsBeside(settings, read.channels, source.platform);
  if ('problem' in channels) return { kind: 'refused', reason: `error loading configuration from path: ${read.file ?? ''}, ${channels.problem}`, complaints };
  return { kind: dump ? 'dump' : 'run', settings: { ...settings, ...channels }, warnings, words, file: read.file, complaints };
}

/** Of a method that has no path, or is none. */
function whyNoPath(method: string, platform: Platform): string {
  const known = channelMethods[platform].map(({ name }): string => name);
  if (known.includes(method)) {
    return `must specify a path for this channel (--method=${method} has no default: add --path=${method === 'vsock-listen' ? 'CID:PORT' : 'PATH'})`;
  }
  const meant = known.find((name) => method !== '' && name.startsWith(method)) ?? closestName(method, known);
  return `must specify a path for this channel: no method is named '${method}': there are ${known.join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
}

function fallbacks(platform: Platform): Values {
  const values: Partial<Record<string, unknown>> = {};
  for (const [name, row] of settingRows) values[name] = row.fallback?.(platform);
  return values as Values;
}

/** Answers which file it was, or why the configuration can't be used. */
function readFiles(
  source: SettingsSource,
  items: readonly GetoptItem<CommandLineOption>[],
  values: Values,
  warnings: string[],
): { readonly file: string | undefined; readonly channels: readonly ChannelGroup[] } | { readonly problem: string } {
  if (source.withoutFile === true) return { file: undefined, channels: [] };
  const named = items.findLast((item) => item.kind === 'option' && item.option.does === 'config');
  const given = named?.kind === 'option' ? named.value : undefined;
  const variable = source.configurationVariable;
  const paths = given !== undefined ? [given] : variable !== undefined ? [variable] : configurationPaths[source.platform];
  for (const path of paths) {
    const loaded = loadConfiguration(path, source.readFile);
    if (isMissing(loaded) && given === undefined) continue;
    if ('problem' in loaded && loaded.untrusted && given === undefined && variable === undefined) {
      warnings.push(`the configuration ${path} is not used: ${loaded.problem}`);
      continue;
    }
    if ('problem' in loaded) return { problem: `error loading configuration from path: ${path}, ${loaded.problem}` };
    for (const { name, row, value } of loaded.values) {
      const problem = set(values, name, row, value);
      if (problem !== undefined) return { problem: `error loading configuration from path: ${path}, key “${row.key}”: ${problem}` };
    }
    warnings.push(...loaded.unknownGroups.map((group) => `${path}: there is no group [${group}]; it and its keys are ignored (there are [general], [concierge] and [channel NAME])`));
    warnings.push(...loaded.unknown.map((key) => `${path}: there is no setting ${key}; it is ignored${suggestion(key)}`));
    return { file: path, channels: loaded.channels };
  }
  return { file: undefined, channels: [] };
}

/** A setting in the wrong group, or misspelt, for one `group/key` that nobody knows. */
function suggestion(unknown: string): string {
  const key = unknown.slice(unknown.indexOf('/') + 1);
  const meant = closestName(key, settingRows.map(([, row]) => row.key));
  const row = settingRows.find(([, { key: one }]) => one === meant)?.[1];
  return row === undefined ? '' : ` (did you mean ${row.group}/${row.key}?)`;
}

/** Answers what is wrong with the value. */
function set(values: Values, name: keyof Values, row: SettingRow, value: string | boolean): string | undefined {
  const into = values as Record<string, unknown>;
  if (typeof value === 'boolean') {
    into[name] = value;
  } else if (row.kind === 'list') {
    // qemu-ga 11.1 turns the names of each source round and keeps the sources in order; `--dump-conf` shows it.
    const names = value.split(',').filter((one) => one !== '');
    const wrong = names.find((one) => row.pattern?.test(one) === false);
    if (wrong !== undefined) return `'${wrong}' is not one of ${row.placeholder ?? 'the names'}`;
    into[name] = [...(into[name] as readonly string[]), ...names.toReversed()];
  } else if (row.kind === 'seconds') {
    if (!/^\d{1,9}$/.test(value)) return `'${value}' is not a number of seconds`;
    into[name] = Number(value);
  } else {
    if (row.kind === 'mode' && !/^0?[0-7]{3}$/.test(value)) return `'${value}' is not a mode of three octal digits`;
    if (row.choices?.includes(value) === false) return `'${value}' is not one of ${row.choices.join(', ')}`;
    into[name] = value;
  }
  return undefined;
}

/** Those of the file, which has no say over what the command line has said of the first. */
function channelsBeside(settings: MainSettings, groups: readonly ChannelGroup[], platform: Platform): Pick<Settings, 'channels'> | { readonly problem: string } {
  try {
    return { channels: namedChannels(groups, settings, platform) };
  } catch (error) {
    if (error instanceof ChannelGroupError) return { problem: error.message };
    throw error;
  }
}

type MainSettings = Omit<Settings, 'channels'>;

function complete(values: Values, { platform, handedOver }: SettingsSource): MainSettings | undefined {
  if (handedOver !== undefined) return { ...values, method: handedOver.method, path: undefined, handedOver: handedOver.fd };
  const path = values.path ?? defaultPath(values.method, platform);
  // A method of a backend's own may have a path of its own.
  const mayKnow = values.backend !== undefined && !needsPath(values.method, platform);
  return path === undefined && !mayKnow ? undefined : { ...values, path, handedOver: undefined };
}

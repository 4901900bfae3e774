// SPDX-License-Identifier: Apache-2.0
import { getopt, type GetoptItem, type OptionSyntax } from './getopt.ts';
import { settingRows, type SettingName, type SettingRow } from './settings-table.ts';

export interface CommandLineOption extends OptionSyntax {
  /** What it sets, or what it does besides setting. */
  readonly does: { readonly setting: SettingName; readonly row: SettingRow } | 'config' | 'version' | 'help' | 'dump';
}

const acts = (short: string, long: string, does: CommandLineOption['does'] & string, argument: OptionSyntax['argument'] = 'none'): CommandLineOption => ({
  short,
  long,
  argument,
  preferred: true,
  does,
});

const former = settingRows.flatMap(([setting, row]) =>
  row.alias === undefined ? [] : [{ long: row.alias, argument: row.option.argument, does: { setting, row } }],
);

/** Every option that there is, in the order of the help. */
export const commandLineOptions: readonly CommandLineOption[] = [
  acts('c', 'config', 'config', 'required'),
  ...settingRows.map(([setting, row]) => ({ ...row.option, does: { setting, row } })),
  ...former,
  acts('V', 'version', 'version'),
  acts('D', 'dump-conf', 'dump'),
  acts('h', 'help', 'help'),
];

export const readCommandLine = (words: readonly string[]): Generator<GetoptItem<CommandLineOption>> => getopt(words, commandLineOptions);

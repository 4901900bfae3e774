// SPDX-License-Identifier: Apache-2.0
import type { ChannelMethod } from '../../core/ports/index.ts';
import { channelMethods } from '../channels/methods.ts';
import { programData } from '../shared/program-data.ts';
import type { OptionSyntax } from './getopt.ts';

export type Platform = 'posix' | 'windows';

type Kind = 'boolean' | 'text' | 'list' | 'seconds' | 'choice' | 'mode';

/** One setting: its key in the file, its option, what it is for. Parser, help, dump and manual are made from it. */
export interface SettingRow {
  /** `general` is qemu-ga's group; what only Concierge has is in `concierge`, which qemu-ga passes over. */
  readonly group: 'general' | 'concierge';
  readonly key: string;
  readonly kind: Kind;
  readonly option: OptionSyntax;
  /** What stands for the value in the help: `PATH`. */
  readonly placeholder?: string;
  /** Where nobody says anything. Absent: no value. */
  readonly fallback?: (platform: Platform) => boolean | string | number | readonly string[];
  /** The value of an option given without one. */
  readonly bare?: string;
  readonly choices?: readonly string[];
  /** What each name of a list looks like. */
  readonly pattern?: RegExp;
  /** Whole sentences, without the default. */
  readonly doc: string;
  /** Another spelling of option and key alike: of an older release of qemu-ga, or of one to come. */
  readonly alias?: string;
}

interface Extra {
  readonly placeholder?: string;
  readonly bare?: string;
  readonly alias?: string;
}

const qemu = { group: 'general' } as const;
const own = { group: 'concierge' } as const;

const option = (short: string | undefined, long: string, argument: OptionSyntax['argument'] = 'required'): OptionSyntax => ({
  long,
  ...(short === undefined ? {} : { short, preferred: true }),
  argument,
});

const both = (value: string) => (): string => value;
const byPlatform = (posix: string, windows: string) => (platform: Platform): string => (platform === 'windows' ? windows : posix);
const nothing = (): readonly string[] => [];
const off = (): boolean => false;

const flag = (key: string, syntax: OptionSyntax, doc: string, extra: Extra = {}) =>
  ({ ...qemu, key, kind: 'boolean', option: { ...syntax, argument: 'none' }, fallback: off, doc, ...extra }) as const;

const text = (key: string, syntax: OptionSyntax, doc: string, extra: Extra = {}) =>
  ({ ...qemu, key, kind: 'text', option: syntax, placeholder: 'PATH', doc, ...extra }) as const;

const list = (key: string, syntax: OptionSyntax, doc: string, extra: Extra = {}) =>
  ({ ...qemu, key, kind: 'list', option: syntax, placeholder: 'LIST', fallback: nothing, doc, ...extra }) as const;

const seconds = (key: string, value: number, doc: string) =>
  ({ ...own, key, kind: 'seconds', option: option(undefined, key), placeholder: 'SECONDS', fallback: () => value, doc }) as const;

/** For administrators alone: the MSI, `service install` and the agent make it so. That of qemu-ga is open to every user. */
const ownFolder = `${programData()}\\concierge-ga`;

/** In the order of qemu-ga's `--dump-conf`, then what is our own. */
export const settingsTable = {
  daemon: flag('daemon', option('d', 'daemonize'), 'Go on in the background once the channel is open. Under systemd, leave it off.'),
  method: {
    ...text(
      'method',
      option('m', 'method'),
      'How the host is reached: virtio-serial, isa-serial, unix-listen (not on Windows) or vsock-listen.',
      { placeholder: 'METHOD' },
    ),
    fallback: both('virtio-serial'),
  },
  path: text('path', option('p', 'path'), 'Device or socket. The address of vsock-listen is written CID:PORT.'),
  logfile: text('logfile', option('l', 'logfile'), 'Append the log to this file instead of standard error. SIGHUP opens it anew.'),
  pidfile: {
    ...text('pidfile', option('f', 'pidfile'), 'Where the process number is left, and locked. Only written with --daemonize.'),
    fallback: byPlatform('/var/run/qemu-ga.pid', `${ownFolder}\\concierge-ga.pid`),
  },
  fsfreezeHook: text(
    'fsfreeze-hook',
    option('F', 'fsfreeze-hook', 'optional'),
    'Run this program with `freeze` before and with `thaw` after a freeze. The option takes its value attached (-F/path, --fsfreeze-hook=/path); without one it means the default path.',
    { bare: '/etc/qemu/fsfreeze-hook' },
  ),
  statedir: {
    ...text('statedir', option('t', 'statedir'), 'Directory for what outlives the agent. It has to be writable while every disk is frozen: a tmpfs.', {
      placeholder: 'DIR',
    }),
    fallback: byPlatform('/var/run', ownFolder),
  },
  verbose: flag('verbose', option('v', 'verbose'), 'Log what is done, not only what goes wrong. Secrets are left out.', { alias: 'debug' }),
  retryPath: flag('retry-path', option('r', 'retry-path'), 'Wait for the channel when it is not there or is lost, instead of ending.'),
  blockRpcs: list(
    'block-rpcs',
    option('b', 'block-rpcs'),
    'Commands that the host may not use, with commas and no blanks. `help` lists all names.',
    { alias: 'blacklist' },
  ),
  allowRpcs: list('allow-rpcs', option('a', 'allow-rpcs'), 'The only commands that the host may use. libvirt cannot do without guest-sync and guest-info.'),

  backend: {
    ...own,
    key: 'backend',
    kind: 'text',
    option: option(undefined, 'backend'),
    placeholder: 'NAME',
    doc: 'The operating system to drive: linux, fake, an npm package or a path. Without it the one that fits this machine.',
  },
  scenario: {
    ...own,
    key: 'scenario',
    kind: 'text',
    option: option(undefined, 'scenario'),
    placeholder: 'FILE',
    doc: 'With backend fake: the machine and what goes wrong in it, as YAML or JSON. For people who try out host software.',
  },
  freezeTimeout: seconds(
    'freeze-timeout',
    600,
    'How long file systems may stay frozen before they are thawed without being asked; 0 means for ever. A host that dies in the middle of a backup never thaws.',
  ),
  freezeWithin: seconds('freeze-within', 120, 'How long the freezing itself may take before it is given up and undone; 0 means for ever.'),
  hookTimeout: seconds('hook-timeout', 120, 'How long one hook may run before it is killed and counts as failed; 0 means for ever.'),
  hookDirectory: {
    ...own,
    key: 'hook-directory',
    kind: 'text',
    option: option(undefined, 'hook-directory'),
    placeholder: 'DIR',
    fallback: both('/etc/concierge-ga/fsfreeze-hook.d'),
    doc: 'A directory of freeze hooks: run in the order of their names before a freeze, in the reverse order after it. Empty for none.',
  },
  generationDirectory: {
    ...own,
    key: 'generation-directory',
    kind: 'text',
    option: option(undefined, 'generation-directory'),
    placeholder: 'DIR',
    fallback: both('/etc/concierge-ga/generation.d'),
    doc: 'A directory of programs that run once when this guest was restored from a snapshot or is a copy of another, in the order of their names. Empty for none.',
  },
  clockStepLimit: seconds(
    'clock-step-limit',
    1,
    'How far the clock may be off after a restore before it is set from that of the hypervisor; 0 means that it never is.',
  ),
  autoOnline: {
    ...own,
    key: 'auto-online',
    kind: 'choice',
    option: option(undefined, 'auto-online'),
    placeholder: 'WHAT',
    choices: ['none', 'memory', 'processors', 'all'],
    fallback: both('none'),
    doc: 'What is brought on line when it is added to the running guest, where the system does not do it by itself.',
  },
  autoOnlineZone: {
    ...own,
    key: 'auto-online-zone',
    kind: 'choice',
    option: option(undefined, 'auto-online-zone'),
    placeholder: 'ZONE',
    choices: ['default', 'movable'],
    fallback: both('default'),
    doc: 'Where such memory goes: `movable` can be taken away again, and the kernel keeps nothing of its own there.',
  },
  sleepAfter: seconds(
    'sleep-after',
    60,
    'How long nothing must have been asked for before the agent goes to sleep, where a keeper goes on in its place; 0 means never. The next request starts it again.',
  ),
  fsfreezeExclude: {
    ...list('fsfreeze-exclude', option(undefined, 'fsfreeze-exclude'), 'Mount points that are never frozen, with commas.'),
    ...own,
  },
  freezeListUnknown: {
    ...own,
    key: 'freeze-list-unknown',
    kind: 'choice',
    option: option(undefined, 'freeze-list-unknown'),
    placeholder: 'WHAT',
    choices: ['error', 'ignore'],
    fallback: both('error'),
    doc: 'What guest-fsfreeze-freeze-list does with a mount point that is none: `error` names it, `ignore` passes over it as qemu-ga does.',
  },
  fileMode: {
    ...own,
    key: 'file-mode',
    kind: 'mode',
    option: option(undefined, 'file-mode'),
    placeholder: 'MODE',
    fallback: both('0644'),
    doc: 'Mode of a file that guest-file-open creates, whatever the umask: three octal digits. qemu-ga has 0666, with which everybody may write to it.',
  },
  vssWriters: {
    ...own,
    key: 'vss-writers',
    kind: 'choice',
    option: option(undefined, 'vss-writers'),
    placeholder: 'WHAT',
    choices: ['require', 'warn'],
    fallback: both('require'),
    doc: 'On Windows, what a VSS writer that fails does to a freeze which its data has a part in: `require` fails it, `warn` is a warning in the log and the report.',
  },
  profile: {
    ...own,
    key: 'profile',
    kind: 'text',
    option: option(undefined, 'profile'),
    placeholder: 'NAME',
    fallback: both('full'),
    doc: 'What a host gets where no rule of `policy-directory` decides: full, manage (no programs, no files), backup (facts, freeze, thaw, trim), observe (facts), or NAME of a file of rules NAME.yaml in the directory `profiles` beside `policy-directory`.',
  },
  policyDirectory: {
    ...own,
    key: 'policy-directory',
    kind: 'text',
    option: option(undefined, 'policy-directory'),
    placeholder: 'DIR',
    fallback: byPlatform('/etc/concierge-ga/policy.d', `${ownFolder}\\policy.d`),
    doc: 'Files of rules (NAME.yaml) that say what a host may do, in the order of their names; SIGHUP reads them again. Empty for none.',
  },
  audit: {
    ...own,
    key: 'audit',
    kind: 'text',
    option: option(undefined, 'audit'),
    placeholder: 'WHERE',
    doc: 'Where each command that changes something, and each that is refused, is recorded: a file (one JSON object on a line) or `journald`. SIGHUP opens the file anew.',
  },
  vsockAllow: {
    ...list('vsock-allow', option(undefined, 'vsock-allow'), 'The only CIDs that may talk to vsock-listen, with commas. Without it that is the host, CID 2.', {
      placeholder: 'CIDS',
    }),
    ...own,
    pattern: /^\d{1,10}$/,
  },
} as const satisfies Readonly<Record<string, SettingRow>>;

export type SettingName = keyof typeof settingsTable;

type ValueOf<K extends Kind> = K extends 'boolean' ? boolean : K extends 'list' ? readonly string[] : K extends 'seconds' ? number : string;

type Row<N extends SettingName> = (typeof settingsTable)[N];

/** Every setting with the value that is in force; `undefined` where there is none. */
export type SettingValues = {
  readonly [N in SettingName]: Row<N> extends { fallback: unknown } ? ValueOf<Row<N>['kind']> : ValueOf<Row<N>['kind']> | undefined;
};

export const settingRows = Object.entries(settingsTable) as readonly (readonly [SettingName, SettingRow])[];

const methodOf = (method: string, platform: Platform): ChannelMethod | undefined => channelMethods[platform].find(({ name }) => name === method);

/** Where the channel is when nobody says; absent for methods that need a path, or that only a backend knows. */
export const defaultPath = (method: string, platform: Platform): string | undefined => methodOf(method, platform)?.defaultPath;

/** Whether a method of the system has no path of its own. */
export const needsPath = (method: string, platform: Platform): boolean => {
  const known = methodOf(method, platform);
  return known !== undefined && known.defaultPath === undefined;
};

/** Looked for in this order where neither `--config` nor QGA_CONF says which. */
export const configurationPaths: Readonly<Record<Platform, readonly string[]>> = {
  posix: ['/etc/concierge-ga/concierge-ga.conf', '/etc/qemu/qemu-ga.conf'],
  windows: [`${ownFolder}\\concierge-ga.conf`, `${programData()}\\qemu-ga\\qemu-ga.conf`],
};

// SPDX-License-Identifier: Apache-2.0
import type { RunSubcommand } from '../subcommand.ts';

export interface SubcommandEntry {
  readonly name: string;
  readonly summary: string;
  /** What follows its name, one way of calling it each. */
  readonly usage: readonly string[];
  /** Goes on with defaults where the configuration cannot be used. */
  readonly withoutConfiguration?: true;
  /** Its own flags, besides the options of the agent that say which machine and which state directory are meant. */
  readonly flags: readonly string[];
  /** Those of its own that take a value. */
  readonly options?: readonly string[];
  readonly load: () => Promise<{ readonly run: RunSubcommand }>;
}

/** What can stand in front of all options. Each is a file of its own, loaded when it is asked for. */
export const subcommands: readonly SubcommandEntry[] = [
  {
    name: 'freeze',
    summary: 'With --dry-run [--json] [MOUNTPOINT...]: print what a freeze would do, in which order, without touching anything.',
    usage: ['--dry-run [--json] [MOUNTPOINT...]'],
    flags: ['dry-run', 'json'],
    load: () => import('./freeze.ts'),
  },
  {
    name: 'doctor',
    summary: 'Look at everything that the agent needs, and say what is wrong and what to do about it. Changes nothing. [--json] With --self-test: try it, freeze and thaw included, and print one report to send.',
    usage: ['[--json]', '--self-test [--json] [MOUNTPOINT]'],
    flags: ['json', 'self-test'],
    withoutConfiguration: true,
    load: () => import('./doctor.ts'),
  },
  {
    name: 'thaw',
    summary: 'Thaw what an agent that is gone left frozen, and nothing else (for ExecStopPost=). [--json]',
    usage: ['[--json]'],
    flags: ['json'],
    load: () => import('./thaw.ts'),
  },
  {
    name: 'policy',
    summary: '`explain COMMAND [NAME=VALUE...] [--channel=NAME]`: what the policy says of a request, by which rule, and what would have to change. `check`: whether the agent can use it. `show`: all rules in order. [--json]',
    usage: ['explain COMMAND [NAME=VALUE...] [--channel=NAME] [--json]', 'check', 'show [--json]'],
    flags: ['json'],
    options: ['channel'],
    load: () => import('./policy.ts'),
  },
  {
    name: 'service',
    summary: 'On Windows: install, uninstall, start or stop the service. Options given with `install` are its own.',
    usage: ['install [<options of the agent>]', 'uninstall', 'start', 'stop'],
    flags: [],
    load: () => import('./service.ts'),
  },
  {
    name: 'vss',
    summary: 'On Windows: install or uninstall the VSS provider, which freezing needs.',
    usage: ['install', 'uninstall'],
    flags: [],
    load: () => import('./vss.ts'),
  },
  {
    name: 'backends',
    summary: 'List the operating systems that can be driven and what each brings; further ones by package or path. [--json] [NAME...]',
    usage: ['[--json] [NAME...]'],
    flags: ['json'],
    load: () => import('./backends.ts'),
  },
  {
    name: 'kit',
    summary: '`kit new DIR`: write a package for an operating system of your own, which builds and passes the contract suite.',
    usage: ['new DIR'],
    flags: [],
    load: () => import('./kit.ts'),
  },
];

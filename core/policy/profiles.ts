// SPDX-License-Identifier: Apache-2.0
import type { PolicyRules } from './policy.ts';
import type { Rule } from './rule.ts';

const built = (name: string, effect: Rule['effect'], rest: Partial<Rule>): Rule => ({ name, effect, tell: 'host', origin: { kind: 'built-in' }, ...rest });

/**
 * Rules for what a host usually is to have. They stand behind those of the administrator, which may allow or refuse more. `full` is
 * everything.
 */
export const profiles = {
  full: [],
  manage: [
    built('manage-no-programs', 'refuse', { groups: ['exec'], reason: 'the profile manage runs no programs' }),
    built('manage-no-files', 'refuse', { groups: ['files'], reason: 'the profile manage opens no files but those that other rules allow' }),
  ],
  backup: [
    built('backup-allows', 'allow', { groups: ['observe', 'freeze'] }),
    built('backup-nothing-else', 'refuse', { reason: 'the profile backup asks, freezes, thaws and trims, and does nothing else' }),
  ],
  observe: [
    built('observe-allows', 'allow', { groups: ['observe'] }),
    built('observe-nothing-else', 'refuse', { reason: 'the profile observe asks and changes nothing' }),
  ],
} as const satisfies Readonly<Record<string, readonly Rule[]>>;

export type ProfileName = keyof typeof profiles;

export const profileNames = Object.keys(profiles) as readonly ProfileName[];

/** Where the rules cannot be used nothing is allowed but the way out of a freeze, and the host is told why. */
export const unusablePolicy: PolicyRules = {
  rules: [
    built('way-out', 'allow', {
      commands: [
        'guest-ping', 'guest-sync', 'guest-sync-delimited', 'guest-info', 'guest-fsfreeze-status', 'guest-fsfreeze-thaw', '__org.concierge_fsfreeze-report',
      ],
    }),
    built('policy-unusable', 'refuse', { reason: "the guest's policy cannot be used: its log says why" }),
  ],
  otherwise: 'refuse',
};

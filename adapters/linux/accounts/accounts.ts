// SPDX-License-Identifier: Apache-2.0
import { arch, endianness } from 'node:os';

import type { Accounts, SshKeys, UserSession } from '../../../core/ports/index.ts';
import { latin1Text } from '../kernel-files.ts';
import { logindSessions } from './logind-sessions.ts';
import { parseUtmp, utmpLayout } from './utmp.ts';

export interface AccountsParts {
  /** Put before every path: '' for the running system. */
  readonly root: string;
  readonly passwords: NonNullable<Accounts['passwords']>;
  readonly sshKeys: SshKeys;
  readonly groups: NonNullable<Accounts['groups']>;
}

export const linuxAccounts = ({ root, passwords, sshKeys, groups }: AccountsParts): Accounts => ({
  sessions: linuxSessions(root),
  passwords,
  sshKeys,
  groups,
});

/** Who is logged in: utmp, or logind where utmp is missing or knows nobody. */
export const linuxSessions = (root: string): NonNullable<Accounts['sessions']> => ({
  list: () => {
    const recorded = utmpSessions(root);
    return recorded.length > 0 ? recorded : logindSessions(root);
  },
});

function utmpSessions(root: string): UserSession[] {
  for (const path of ['/run/utmp', '/var/run/utmp']) {
    const text = latin1Text(`${root}${path}`);
    if (text !== undefined) return text === '' ? [] : parseUtmp(Buffer.from(text, 'latin1'), utmpLayout(arch(), endianness() === 'LE'));
  }
  return [];
}

// SPDX-License-Identifier: Apache-2.0
/** Conversations with programs that people run on terminals. Whatever is typed waits for what shows that it is read. */
import { expect } from 'vitest';
import { exec, terminal, type GuestClient, type GuestProcess } from '../../../client/index.ts';
import { screenOf, type Screen } from './on-terminal.ts';

interface Conversation {
  readonly client: GuestClient;
  readonly child: GuestProcess;
  readonly screen: Screen;
  readonly type: (keys: string) => void;
}

export interface TerminalProgram {
  readonly path: string;
  readonly arguments: readonly string[];
  readonly user?: string;
  /** Converses until the program ends with 0. */
  readonly converse: (conversation: Conversation) => Promise<void>;
}

const size = { rows: 24, columns: 80 };
const ESCAPE = '\u001b';
const inGuest = async (client: GuestClient, script: string): Promise<string> => (await exec(client, 'bash', { arguments: ['-c', script] })).stdout.toString();

/** Who has to say a password. */
export const userOfSudo = 'useradd --create-home --shell /bin/bash terminals && echo terminals:pass-word | chpasswd && echo "terminals ALL=(ALL) ALL" >/etc/sudoers.d/terminals';

export const terminalPrograms: Readonly<Record<string, TerminalProgram>> = {
  vim: {
    path: 'vim.tiny',
    arguments: ['-u', 'NONE', '-N', '/tmp/edited'],
    converse: async ({ client, child, screen, type }) => {
      await screen.until('[New]');
      await child.resize(50, 132);
      type(':set lines?\r');
      await screen.until('lines=50');
      type(':set columns?\r');
      await screen.until('columns=132');
      type('iäö€ and 100 ~');
      await screen.until('100 ~');
      type(`${ESCAPE}:w\r`);
      await screen.until('written');
      type(':q\r');
      await expect.poll(() => inGuest(client, 'cat /tmp/edited'), { timeout: 120_000 }).toBe('äö€ and 100 ~\n');
    },
  },
  top: {
    path: 'top',
    arguments: ['-d', '2'],
    converse: async ({ child, screen, type }) => {
      await screen.until('load average');
      await screen.until('COMMAND');
      await child.resize(10, 100);
      await screen.until('COMMAND');
      type('h');
      await screen.until('Help for Interactive Commands');
      type('q');
      await screen.until('COMMAND');
      type('q');
    },
  },
  less: {
    path: 'less',
    arguments: ['-S', '/usr/share/common-licenses/GPL-3'],
    converse: async ({ screen, type }) => {
      await screen.until('GNU GENERAL PUBLIC LICENSE');
      type('/Lesser General\r');
      await screen.until('Lesser General');
      type('G');
      await screen.until('(END)');
      type('q');
    },
  },
  sudo: {
    path: 'sudo',
    arguments: ['-k', 'sh', '-c', 'echo user $(id -u) on $(tty)'],
    user: 'terminals',
    converse: async ({ screen, type }) => {
      await screen.until('password for terminals:');
      type('wrong\n');
      await screen.until('try again');
      await screen.until('password for terminals:');
      type('pass-word\n');
      await screen.until('user 0 on /dev/pts/');
    },
  },
};

export async function conversesWith(client: GuestClient, { path, arguments: words, user, converse }: TerminalProgram, within: number): Promise<void> {
  const child = terminal(client, path, words, { ...size, env: { LANG: 'C.UTF-8', LC_ALL: undefined }, ...(user === undefined ? {} : { user, cwd: '/' }) });
  const closed = new Promise((resolve, reject) => {
    child.once('close', (...how) => resolve(how));
    child.once('error', reject);
  });
  await Promise.all([
    converse({ client, child, screen: screenOf(child.stdout, within), type: (keys) => void child.stdin?.write(keys) }),
    expect(closed).resolves.toEqual([0, null]),
  ]);
}

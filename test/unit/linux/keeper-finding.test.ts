// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keeperFindings } from '../../../adapters/linux/keeper/keeper-finding.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'keeper-finding-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const second = 1000;

interface Shown {
  readonly exe?: string;
  readonly comm?: string;
  /** Absent: it has no such file. */
  readonly says?: string;
}

/** A process as /proc shows it. */
function put(pid: number, { exe = '/usr/lib/concierge-ga/dist/concierge-keeper', comm = 'concierge-keepe', says }: Shown): void {
  const directory = join(root, 'proc', String(pid));
  mkdirSync(join(directory, 'fd'), { recursive: true });
  symlinkSync(exe, join(directory, 'exe'));
  writeFileSync(join(directory, 'comm'), `${comm}\n`);
  symlinkSync('/dev/null', join(directory, 'fd/0'));
  if (says === undefined) return;
  // The kernel's own link leads to the file as well as its text shows its name.
  writeFileSync(join(root, 'memfd:keeper-status (deleted)'), says);
  symlinkSync(join(root, 'memfd:keeper-status (deleted)'), join(directory, 'fd/9'));
}

const says = (state: string, more = ''): string => `keeper 0.1.0\n${state}\nagent -1\nstarts 4\ndeaths 0 \nprograms 0 0\n${more}end\n`;

const shown = (nowMs = 0): readonly string[] => keeperFindings(root, nowMs).map(({ verdict, detail }) => `${verdict}: ${detail}`);

describe('the finding of doctor about a keeper', () => {
  it('says that there is none, with other processes around', () => {
    put(7, { exe: '/usr/bin/node', comm: 'concierge-ga' });
    // A guardian is a fork of it.
    put(8, { comm: 'concierge-guard' });

    expect(shown()).toEqual(['good: none: the agent is all there is, and never sleeps']);
  });

  it('says how long its agent has been asleep, how many there were, and what it holds', () => {
    put(9, { says: says(`asleep ${10 * second}`, 'held plain 3\nheld port 1\nheld stream 0\nheld listener 1\nheld waste 2\nheld file 1\n') });

    expect(shown(195 * second)).toEqual([
      'good: process 9: its agent has been asleep for 3 min 5 s; 4 agents so far; '
      + 'holds 1 port, 1 listening socket, 2 pipes of what programs left running, 3 other descriptors',
    ]);
  });

  it('counts programs, and agents that ended unexpectedly', () => {
    put(9, { exe: '/opt/concierge-keeper (deleted)', says: 'keeper 0.1.0\nawake 0\nagent 12\nstarts 1\ndeaths 1 signal-9\nprograms 1 2\nheld stream 1\nend\n' });

    expect(shown(90_061 * second)).toEqual([
      'good: process 9: its agent has been awake for 1 d 1 h; 1 agent so far, 1 of which ended unexpectedly (last signal-9); '
      + 'holds 1 connection, 1 running program, 2 results of programs',
    ]);
  });

  it('warns while it waits before it starts another agent', () => {
    put(9, { says: says('pausing 500').replace('deaths 0 ', 'deaths 9 status-1') });

    expect(shown(900)).toEqual([
      'warning: process 9: its agent has ended, and the next one has been waited with for 0 s; 4 agents so far, 9 of which ended unexpectedly (last status-1); holds nothing',
    ]);
  });

  it('tells one that has stayed behind a restart from the service', () => {
    put(9, { says: says(`left ${5 * second}`, 'held keeper 1\n').replace('programs 0 0', 'programs 1 0') });

    expect(shown(7 * second)).toEqual(['good: process 9: it is the service no more, and has waited for the end of programs for 2 s; 4 agents so far; holds 1 running program']);
  });

  it.each([['nothing', undefined], ['another thing', 'hello\n'], ['garbage', 'keeper \x1b[2J\n\x00\nawake\n']])('warns of one that says %s', (_what, text) => {
    put(9, text === undefined ? {} : { says: text });

    expect(shown()).toEqual(['warning: process 9 says nothing of itself']);
  });
});

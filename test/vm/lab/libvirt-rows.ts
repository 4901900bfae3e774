// SPDX-License-Identifier: Apache-2.0
/** What `concierge-ctl --libvirt` is shown to do with a real daemon and a real guest, for each subcommand that there is. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text as allOf } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { OnTerminal } from './on-terminal.ts';

export interface Told {
  readonly status: number;
  readonly text: string;
}

/** The host's side, with `--libvirt guest` before all words. */
export interface HostSide {
  readonly ctl: (words: readonly string[], input?: string) => Promise<Told>;
  /** The same on a terminal. */
  readonly onTerminal: (words: readonly string[]) => OnTerminal;
  /** `tunnel` to this place, and the port of this host that leads there. */
  readonly tunnel: (to: string) => Promise<{ readonly port: number; readonly end: () => Promise<number> }>;
  /** A folder of this host. */
  readonly directory: string;
  /** Asserts until it holds, for a guest that is emulated. */
  readonly eventually: (assertion: () => Promise<void>) => Promise<void>;
}

export interface LibvirtRow {
  /** `ours`: it needs what only our own agent has. */
  readonly agent: 'any' | 'ours';
  readonly shows: (host: HostSide) => Promise<void>;
}

/** For any agent: this ends with 0 and prints this. */
const prints = (words: readonly string[], text: RegExp, input?: string): LibvirtRow => ({ agent: 'any', shows: printing(words, text, input) });
/** The same for our own. */
const oursPrints = (words: readonly string[], text: RegExp, input?: string): LibvirtRow => ({ agent: 'ours', shows: printing(words, text, input) });

const printing = (words: readonly string[], text: RegExp, input?: string) => async ({ ctl }: HostSide): Promise<void> => {
  expect(await ctl(words, input)).toEqual({ status: 0, text: expect.stringMatching(text) });
};

const START = '__org.concierge_exec-start';

/** A server that answers what it was told, when all of it was. */
const echoing = 'use Socket; socket(S, AF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); bind(S, pack_sockaddr_in(8099, INADDR_LOOPBACK)) or die; listen(S, 5); while (accept(C, S)) { print C (<C>); close C }';

/** A program that says something and goes on; resolves to its number. */
async function started({ ctl, eventually }: HostSide, says: string): Promise<string> {
  const { text } = await ctl(['raw', START, JSON.stringify({ path: '/bin/sh', arg: ['-c', `echo ${says}; exec sleep 600`], lifetime: 'detached' })]);
  const [, program = ''] = /"program": ?(\d+)/.exec(text) ?? [];
  await eventually(async () => expect(await ctl(['logs', program])).toEqual({ status: 0, text: `${says}\n` }));
  return program;
}

async function endsOf({ ctl, eventually }: HostSide, program: string): Promise<void> {
  await ctl(['kill', '-s', 'KILL', program]);
  await eventually(async () => expect((await ctl(['ps'])).text).toMatch(new RegExp(`^${program} .*(?:SIGKILL|ended with)`, 'm')));
}

/** By subcommand; test/unit/client/cli/libvirt-rows.test.ts holds them against all that there are. */
export const libvirtRows: Readonly<Record<string, readonly LibvirtRow[]>> = {
  info: [prints(['info'], /\bguest\b[\s\S]*Debian/)],
  fs: [prints(['fs'], /^\/ .*ext4/m)],
  net: [prints(['net'], /^lo\b/m)],
  users: [prints(['users'], /^(?:USER |nobody is logged in)/)],
  os: [prints(['os'], /Debian/)],
  freeze: [
    prints(['freeze', '--dry-run'], /^\/$/m),
    oursPrints(['freeze', '--dry-run'], /^ *LEVEL[\s\S]* \/ +ext4/),
    {
      agent: 'ours',
      shows: async ({ ctl }) => {
        const told = [];
        // Whatever is to be found fault with, the guest is thawed first.
        for (const words of [['freeze'], ['status'], ['thaw']]) told.push(await ctl(words));

        expect(told).toEqual([/^\d+ file systems? frozen/, /frozen/, /^\d+ file systems? thawed/].map((text) => ({ status: 0, text: expect.stringMatching(text) })));
      },
    },
  ],
  frozen: [prints(['frozen', '--', 'true'], /this agent has no deadline/), oursPrints(['frozen', '--', 'true'], /^$/)],
  thaw: [prints(['thaw'], /^nothing was frozen/)],
  status: [prints(['status'], /thawed/)],
  trim: [prints(['trim'], /\//)],
  exec: [prints(['exec', '--', 'echo', 'inside'], /^inside\n$/), oursPrints(['exec', '-i', '--', 'cat'], /^typed\n$/, 'typed\n')],
  login: [{
    agent: 'ours',
    shows: async ({ onTerminal }) => {
      const screen = onTerminal(['login']);
      await screen.until('# ');
      screen.type('echo $USER of $HOSTNAME on $(tty)\n');
      await screen.until('root of guest on /dev/pts/');
      await screen.until('# ');
      screen.type('exit 7\n');
      expect(await screen.ended).toBe(7);
    },
  }],
  ps: [{
    agent: 'ours',
    shows: async (host) => {
      const program = await started(host, 'listed');
      expect((await host.ctl(['ps'])).text).toMatch(new RegExp(`^${program} .*runs +/bin/sh$`, 'm'));
      await endsOf(host, program);
    },
  }],
  kill: [{
    agent: 'ours',
    shows: async (host) => {
      const program = await started(host, 'doomed');
      expect(await host.ctl(['kill', '-s', 'HUP', program])).toEqual({ status: 0, text: '' });
      await host.eventually(async () => expect((await host.ctl(['ps'])).text).toMatch(new RegExp(`^${program} .*SIGHUP`, 'm')));
    },
  }],
  logs: [{
    agent: 'ours',
    shows: async (host) => {
      const program = await started(host, 'kept');
      const followed = host.ctl(['logs', '-f', program]);
      await host.ctl(['kill', program]);
      expect(await followed).toEqual({ status: 128 + 15, text: 'kept\n' });
    },
  }],
  tunnel: [
    {
      agent: 'any',
      shows: async ({ ctl }) => {
        expect(await ctl(['tunnel', '0:localhost:80'])).toEqual({ status: 1, text: expect.stringContaining('the agent cannot talk with programs while they run') });
      },
    },
    {
      agent: 'ours',
      shows: async (host) => {
        const { text: answer } = await host.ctl(['raw', START, JSON.stringify({ path: 'perl', arg: ['-e', echoing], lifetime: 'detached' })]);
        const { port, end } = await host.tunnel('127.0.0.1:8099');
        // The server in the guest may not listen yet: then there is no answer.
        await host.eventually(async () => {
          const near = connect(port, '127.0.0.1').on('error', () => undefined);
          near.end('there and back');
          expect(await allOf(near)).toBe('there and back');
        });
        expect(await end()).toBe(0);
        await endsOf(host, /"program": ?(\d+)/.exec(answer)?.[1] ?? '');
      },
    },
  ],
  cp: [
    prints(['cp', 'guest:/etc/hostname', '-'], /^guest\n$/),
    {
      agent: 'any',
      shows: async ({ ctl, directory }) => {
        writeFileSync(join(directory, 'carried'), 'there and back\n');
        expect(await ctl(['cp', join(directory, 'carried'), 'guest:/tmp/carried'])).toMatchObject({ status: 0 });
        expect(await ctl(['cp', 'guest:/tmp/carried', join(directory, 'back')])).toMatchObject({ status: 0 });
        expect(readFileSync(join(directory, 'back'), 'utf8')).toBe('there and back\n');
      },
    },
    {
      agent: 'ours',
      shows: async ({ ctl, directory }) => {
        // Debian 13 has a link there that leads out of it.
        expect(await ctl(['cp', '-r', '--any-links', 'guest:/etc/default', join(directory, 'default')])).toMatchObject({ status: 0 });
        expect(readdirSync(join(directory, 'default'))).toContain('useradd');
      },
    },
  ],
  wait: [prints(['wait', '--for', 'agent,ip'], /10\.0\.2\.15/)],
  metrics: [prints(['metrics'], /^concierge_guest_up 1$/m)],
  guests: [prints(['guests', '--libvirt', '*'], /^guest$/m)],
  shell: [prints(['shell'], /"host-name": "guest"[\s\S]*ext4/, 'guest-get-host-name\nfs\nexit\n')],
  raw: [prints(['raw', 'guest-ping'], /^\{\}\n$/), prints(['raw', '{"execute": "guest-get-host-name"}'], /"guest"/)],
  verify: [{
    agent: 'ours',
    shows: async ({ ctl }) => {
      const { status, text } = await ctl(['verify', '--idle', '0', '--json']);
      const checks = JSON.parse(text) as readonly { readonly check: string; readonly result: string }[];
      expect(checks.map(({ check, result }) => `${check}: ${result}`)).toEqual([
        '20 reconnects: passed', '1000 pings: passed', 'an answer that comes after its host has gone: passed', 'a host that never reads: not here', '0 idle seconds: passed',
      ]);
      expect(status).toBe(0);
    },
  }],
  completion: [prints(['completion', 'bash'], /complete -F _concierge_ctl/)],
};

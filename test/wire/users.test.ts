// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess, scratchDirectory } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import type { LineClient } from './lib/line-client.ts';

/** The recording's name: a throw-away user. */
const user = 'qgathrow1';
const dir = scratchDirectory();
const home = join(dir, `home-${user}`);
const keys = join(home, '.ssh/authorized_keys');

const isRoot = process.getuid?.() === 0;
const hasPrograms = ['useradd', 'userdel', 'chpasswd'].every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);

const yes = (value: boolean): string => (value ? 'True' : 'False');

/** The user's field of shadow(5). */
const hash = (): string => new RegExp(`^${user}:([^:]*)`, 'm').exec(readFileSync('/etc/shadow', 'utf8'))?.[1] ?? '';

/** By perl, which has the system's crypt(3). */
function isPassword(password: string): boolean {
  return spawnSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, hash()], { encoding: 'utf8' }).stdout === hash();
}

/** The file as Python shows text that it read. */
function keyFile(): string {
  const text = readFileSync(keys, 'utf8').replaceAll('\r\n', '\n').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  const owner = Number(spawnSync('id', ['-u', user], { encoding: 'utf8' }).stdout);
  const [file, folder] = [statSync(keys), statSync(join(home, '.ssh'))];
  const mode = (status: { mode: number }): string => (status.mode & 0o777).toString(8);
  return `'${text}' mode ${mode(file)} owner-is-user ${yes(file.uid === owner)} dir ${mode(folder)} dir-owner-is-user ${yes(folder.uid === owner)}`;
}

const looks: Readonly<Record<string, () => string>> = {
  'probe: shadow': () => `hash scheme ${/^\$[^$]*\$/.exec(hash())?.[0]}, matches: ${yes(isPassword('S3cret!pw'))}`,
  'probe: shadow crypted': () => `verbatim: ${yes(hash() === '$6$saltsalt$abc')}`,
  'probe: NUL password': () => `matches "ab": ${yes(isPassword('ab'))}`,
  'probe: colon password': () => `matches "a:b": ${yes(isPassword('a:b'))}`,
};

/** chpasswd's own words depend on its release and on PAM: what it says here when it is given the same line. */
const lines: Readonly<Record<string, string>> = { 'no such user': 'no-such-user-x:x\n', 'empty username': ':a\n', 'empty password': `${user}:\n` };

function expectedHere({ name }: GoldenExchange, recorded: string): string {
  const input = lines[name];
  if (input === undefined) return recorded;
  const { stdout } = spawnSync('sh', ['-c', 'exec chpasswd 2>&1'], { input, encoding: 'utf8', env: { ...process.env, PATH: `/usr/sbin:${process.env['PATH']}` } });
  return recorded.replace(/(failed to set user password: ).*("\}\})$/, (_, before: string, after: string) => `${before}${JSON.stringify(stdout).slice(1, -1)}${after}`);
}

const missing = isRoot ? (hasPrograms ? '' : ' (needs useradd, userdel and chpasswd)') : ' (needs root)';

describe.skipIf(missing !== '')(`the recorded exchanges about users, in one sequence${missing}`, () => {
  let agent: AgentProcess;
  let client: LineClient;

  beforeAll(async () => {
    chmodSync(dir, 0o755);
    // One that a killed run has left.
    spawnSync('userdel', [user]);
    expect(spawnSync('useradd', ['--create-home', '--home-dir', home, '--shell', '/bin/sh', user]).status).toBe(0);
    agent = await AgentProcess.start();
    client = await agent.connect();
  });

  afterAll(async () => {
    client.close();
    await agent.stop();
    spawnSync('userdel', [user]);
  });

  for (const exchange of loadGolden('users', { dir })) {
    const expected = differenceOf(exchange)?.responses ?? exchange.responses;

    it(`${exchange.name}: ${verdict(exchange)}`, async () => {
      if (exchange.name.startsWith('probe: ')) {
        expect((looks[exchange.name] ?? keyFile)()).toBe(expected[0]);
        return;
      }

      const line = await client.ask(exchange.request);

      expectLines([line], expected.map((one) => (typeof one === 'string' ? expectedHere(exchange, one) : one)));
    });
  }
});

afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import { linuxFiles } from '../../../adapters/linux/files/files.ts';
import { linuxProcesses } from '../../../adapters/linux/programs/processes.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import type { OpenMode } from '../../../core/ports/index.ts';
import type { Rule } from '../../../core/policy/rule.ts';
import { agentOnFake, request } from '../../unit/agent/agent-on-fake.ts';

/** More by hand: `CONCIERGE_ROUNDS=100000`. */
const rounds = Number(process.env['CONCIERGE_ROUNDS'] ?? 2000);

let base: string;
let inside: string;
let outside: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'concierge-ways-'));
  // The last of what a test has registered: the exchanger is gone by then.
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  chmodSync(base, 0o755);
  [inside, outside] = [join(base, 'inside'), join(base, 'outside')];
  for (const directory of [inside, outside, join(inside, 'real.d')]) mkdirSync(directory);
  writeFileSync(join(outside, 'secret'), 'secret');
  writeFileSync(join(inside, 'file'), 'of the host');
  writeFileSync(join(inside, 'real.d/secret'), 'of the host');
});

const rule = (name: string, effect: Rule['effect'], rest: Partial<Rule>): Rule => ({ name, effect, tell: 'log', origin: { kind: 'built-in' }, ...rest });

/** An agent of this machine's files and programs under rules, asked once. */
async function ask(rules: readonly Rule[], name: string, args: object): Promise<string> {
  const { connect, agent } = await agentOnFake({
    policy: { rules, otherwise: 'allow' },
    backend: (backend) => ({ ...backend, fileSystem: { ...backend.fileSystem, files: linuxFiles() }, processes: linuxProcesses() }),
  });
  const host = connect();
  host.send(request(name, args));
  const answer = await host.nextLine();
  await agent.stop();
  return answer;
}

const onlyInside = (): readonly Rule[] => [
  rule('inside', 'allow', { groups: ['files'], when: { files: { read: [inside], write: [inside] } } }),
  rule('no other', 'refuse', { groups: ['files'] }),
];
const notOutside = (): readonly Rule[] => [rule('not outside', 'refuse', { groups: ['files'], when: { files: { read: [outside], write: [outside] } } })];

const refused = 'the command is not allowed';

describe('ways around a policy of files', () => {
  const ways: readonly (readonly [name: string, path: () => string, mode: string | undefined])[] = ([
    ['the file itself', () => join(outside, 'secret')],
    ['a link at the end', () => linked('link', join(outside, 'secret'))],
    ['a link on the way', () => `${linked('way', outside)}/secret`],
    ['a link to a link', () => linked('second', linked('first', '../outside/secret'))],
    ['two dots', () => `${inside}/../outside/secret`],
    ['two dots behind a link', () => `${linked('up', outside)}/../outside/secret`],
    ['/proc/self/root', () => `/proc/self/root${outside}/secret`],
    ['/proc/self/cwd', () => `/proc/self/cwd/${'../'.repeat(20)}${outside}/secret`],
    ['a link to /proc/self/root', () => `${linked('root', '/proc/self/root')}${outside}/secret`],
    ['slashes and dots', () => `//${outside}/.//./secret`],
    ['a new file outside', () => `${inside}/../outside/new`, 'w'],
    ['a new file behind a link', () => `${linked('way', outside)}/new`, 'w'],
    ['cutting a file off', () => linked('link', join(outside, 'secret')), 'w'],
    ['writing behind it', () => linked('link', join(outside, 'secret')), 'a'],
  ] as const).map(([name, path, mode]) => [name, path, mode]);
  const linked = (name: string, target: string): string => {
    symlinkSync(target, join(inside, name));
    return join(inside, name);
  };

  it.each(ways)('%s', async (_name, path, mode = 'r') => {
    const given = path();

    expect(await ask(onlyInside(), 'guest-file-open', { path: given, mode })).toContain(refused);
    expect(await ask(notOutside(), 'guest-file-open', { path: given, mode })).toContain(refused);
    // Nothing was made, and nothing cut off.
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    expect(() => readFileSync(join(outside, 'new'))).toThrow('ENOENT');
  });

  it('a hard link', async () => {
    linkSync(join(outside, 'secret'), join(inside, 'hard'));

    expect(await ask(onlyInside(), 'guest-file-open', { path: join(inside, 'hard') })).toContain(refused);
    expect(await ask(notOutside(), 'guest-file-open', { path: join(inside, 'hard') })).toContain(refused);
  });

  it('what lies inside is opened, made and cut off, by whatever way', async () => {
    symlinkSync(inside, join(outside, 'back'));
    for (const [path, mode] of [[join(inside, 'file'), 'r+'], [`${inside}/real.d/../file`, 'r'], [join(outside, 'back/file'), 'w'], [join(inside, 'new'), 'w'], [`/proc/self/root${inside}/file`, 'r']]) {
      expect(await ask(onlyInside(), 'guest-file-open', { path, mode })).toMatch(/^\{"return": \d+\}$/);
    }

    expect(readFileSync(join(inside, 'file'), 'utf8')).toBe('');
    expect(readFileSync(join(inside, 'new'), 'utf8')).toBe('');
  });

  it('what was deleted, a pipe, a link to nowhere', async () => {
    symlinkSync('nowhere', join(inside, 'dangling'));

    expect(await ask(onlyInside(), 'guest-file-open', { path: join(inside, 'dangling'), mode: 'w' })).toContain('No such file or directory');
    expect(await ask(onlyInside(), 'guest-file-open', { path: '/proc/self/fd/0' })).toContain(refused);
  });

  it.skipIf(process.getuid?.() !== 0)('a bind mount shows a file at every place, and a mount of somebody else\'s none for sure (needs root)', () => {
    mkdirSync(join(inside, 'mount'));
    const here = import.meta.dirname;
    const script = `mount --bind "${outside}" "${inside}/mount" && "${process.execPath}" "${here}/say-places.ts" "${inside}/mount/secret" "${outside}/secret" "${inside}/file"`;
    const said = execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { encoding: 'utf8' });
    const places = said.trim().split('\n').map((line) => JSON.parse(line) as [string, string[], boolean]);

    for (const [, names, mayHaveOthers] of places.slice(0, 2)) {
      expect(names).toEqual(expect.arrayContaining([`${inside}/mount/secret`, `${outside}/secret`]));
      expect(mayHaveOthers).toBe(false);
    }
    expect(places[2]?.[1]).not.toContain(`${outside}/file`);
    expect(places[2]?.[1]).toContain(`${inside}/file`);
  });

  it(`a name that is exchanged between check and use, ${rounds} rounds`, async () => {
    const exchanger = spawn('python3', [join(import.meta.dirname, 'exchanger.py'), inside, outside], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(async () => {
      const ended = new Promise((resolve) => exchanger.once('exit', resolve));
      exchanger.kill('SIGKILL');
      await ended;
    });
    await new Promise((resolve) => exchanger.stdout.once('data', resolve));
    const files = linuxFiles();
    const reading: OpenMode = { read: true, write: false, append: false, create: false, truncate: false };
    const seen = new Map<string, number>();

    for (let round = 0; round < rounds; round += 1) {
      try {
        const file = await files.openAdmitted?.(join(inside, round % 2 === 0 ? 'name' : 'way/secret'), reading, ({ names, mayHaveOthers }) => {
          if (mayHaveOthers || !names.every((name) => name.startsWith(`${inside}/`))) throw new Error('refused');
        });
        const bytes = Buffer.alloc(20);
        const count = await file?.read(bytes);
        await file?.close();
        const text = bytes.toString('utf8', 0, count);
        seen.set(text, (seen.get(text) ?? 0) + 1);
      } catch (error) {
        seen.set(messageOf(error), (seen.get(messageOf(error)) ?? 0) + 1);
      }
    }

    expect([...seen.keys()]).not.toContain('secret');
    expect(seen.get('refused')).toBeGreaterThan(0);
    expect(seen.get('of the host')).toBeGreaterThan(0);
  }, 3_600_000);
});

describe('ways around a policy of programs', () => {
  let program: string;
  const only = (more: Partial<Rule['when']> = {}): readonly Rule[] => [
    rule('ours', 'allow', { groups: ['exec'], when: { programs: [program], arguments: ['ok'], ...more } }),
    rule('no other', 'refuse', { groups: ['exec'] }),
  ];

  beforeEach(() => {
    program = join(inside, 'program');
    writeFileSync(program, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    writeFileSync(join(outside, 'program'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  });

  it('the program runs: by its path, by a link, by PATH of the agent or, where that may be given, of the request', async () => {
    symlinkSync(program, join(outside, 'link'));

    expect(await ask(only(), 'guest-exec', { path: program, arg: ['ok'] })).toContain('"pid"');
    expect(await ask(only(), 'guest-exec', { path: join(outside, 'link'), arg: ['ok'] })).toContain('"pid"');
    expect(await ask(only({ environment: ['PATH'] }), 'guest-exec', { path: 'program', arg: ['ok'], env: [`PATH=${inside}`] })).toContain('"pid"');
  });

  const ways: readonly (readonly [name: string, args: () => object, more: Rule['when'] | undefined])[] = ([
    ['another program by PATH', () => ({ path: 'program', arg: ['ok'], env: [`PATH=${outside}:${inside}`] }), { environment: ['PATH'] }],
    ['an environment that loads code', () => ({ path: program, arg: ['ok'], env: [`LD_PRELOAD=${outside}/x.so`] })],
    ['an environment that loads code beside one that may be given', () => ({ path: program, arg: ['ok'], env: ['LANG=C', `BASH_ENV=${outside}/x`] }), { environment: ['LANG'] }],
    ['the interpreter with the script', () => ({ path: '/bin/sh', arg: [program] })],
    ['an argument with a line feed', () => ({ path: program, arg: ['ok\nno'] })],
    ['an argument more', () => ({ path: program, arg: ['ok', '-c'] })],
    ['a link of that name to another', () => {
      symlinkSync('../outside/program', join(inside, 'other'));
      return { path: join(inside, 'other'), arg: ['ok'] };
    }],
    ['a copy of that name', () => ({ path: join(outside, 'program'), arg: ['ok'] })],
    ['two dots', () => ({ path: `${inside}/../outside/program`, arg: ['ok'] })],
    ['/proc/self/root', () => ({ path: `/proc/self/root${outside}/program`, arg: ['ok'] })],
    ['/proc/self/exe', () => ({ path: '/proc/self/exe', arg: ['ok'] })],
  ] as const).map(([name, args, more]) => [name, args, more]);

  it.each(ways)('%s', async (_name, args, more = {}) => {
    expect(await ask(only(more), 'guest-exec', args())).toContain(refused);
  });

  it.skipIf(process.getuid?.() !== 0)('a program that others could exchange (needs root)', async () => {
    chmodSync(inside, 0o777);

    expect(await ask(only(), 'guest-exec', { path: program, arg: ['ok'] })).toContain(refused);
    expect(await ask([rule('not that', 'refuse', { when: { programs: ['/usr/bin/true'] } })], 'guest-exec', { path: program, arg: ['ok'] })).toContain(refused);
  });

  it('one that is not there, or is no program, is told as ever', async () => {
    expect(await ask(only(), 'guest-exec', { path: join(inside, 'none'), arg: ['ok'] })).toContain('No such file or directory');
    expect(await ask(only(), 'guest-exec', { path: '', arg: ['ok'] })).toContain('No such file or directory');
    expect(await ask(only(), 'guest-exec', { path: join(inside, 'file'), arg: ['ok'] })).toContain('Permission denied');
    expect(await ask(only(), 'guest-exec', { path: join(inside, 'file/x'), arg: ['ok'] })).toContain('No such file or directory');
  });
});

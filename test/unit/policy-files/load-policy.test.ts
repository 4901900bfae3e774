// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NamedChannel } from '../../../adapters/config/channel-groups.ts';
import { hasPolicyFiles, loadPolicy } from '../../../adapters/policy/load-policy.ts';

let base: string;
let directory: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'concierge-policy-'));
  directory = join(base, 'policy.d');
  mkdirSync(directory, { mode: 0o755 });
});
afterEach(() => rmSync(base, { recursive: true }));

const write = (name: string, text: string, mode = 0o644): void => writeFileSync(join(directory, name), text, { mode });

const load = (rest: Partial<Parameters<typeof loadPolicy>[0]> = {}) =>
  loadPolicy({ policyDirectory: directory, profile: 'full', method: 'virtio-serial', allowRpcs: [], blockRpcs: [], channels: [], ...rest });

/** What is said of one file, without its folder. */
async function complaint(text: string): Promise<string> {
  write('a.yaml', text);
  const said = await load().then(({ warnings }) => warnings.join('\n'), (error: unknown) => (error as Error).message);
  return said.replaceAll(`${directory}/`, '');
}

const rule = (members: string): string => `rules:\n  - { name: a, effect: refuse, ${members} }\n`;

describe('files of rules', () => {
  it('are read in the order of their names, and know their lines', async () => {
    write('20-b.yml', 'rules:\n  - name: second\n    effect: allow\n');
    write('10-a.yaml', [
      '# what the backup host may do', 'default: refuse', 'tell: host', 'rules:', '', '  - name: first', '    effect: allow', '    commands: [guest-exec, guest-file-*]',
      '    groups: [freeze]', '    except: [guest-fstrim]', '    channels: [vsock-listen]', '    reason: because', '    when:', '      programs: [/usr/bin/*]',
      '      arguments: [--now, "", "..."]', '      environment: [LC_*]', '      users: [bob]', '      user-groups: [wheel]', '      mount-points: [/data]', '      size: { at-most: 4 KiB, more-than: 3 }',
    ].join('\n'));
    write('README', 'no rules');
    write('.hidden.yaml', 'nor: these');

    const { rules, files, warnings } = await load();

    expect(files.map((file) => file.slice(directory.length + 1))).toEqual(['10-a.yaml', '20-b.yml']);
    expect(rules).toMatchObject({ otherwise: 'refuse', tell: 'host', defaultOrigin: { kind: 'file', file: join(directory, '10-a.yaml'), line: 2, isDefault: true } });
    expect(rules.rules).toEqual([
      {
        name: 'first', effect: 'allow', commands: ['guest-exec', 'guest-file-*'], groups: ['freeze'], except: ['guest-fstrim'], channels: ['vsock-listen'], reason: 'because', tell: 'host',
        when: {
          programs: ['/usr/bin/*'], arguments: ['--now', '', '...'], environment: ['LC_*'], users: ['bob'], userGroups: ['wheel'], mountPoints: ['/data'], size: { atMost: 4096n, moreThan: 3n },
        },
        origin: { kind: 'file', file: join(directory, '10-a.yaml'), line: 6 },
      },
      { name: 'second', effect: 'allow', tell: 'log', origin: { kind: 'file', file: join(directory, '20-b.yml'), line: 2 } },
    ]);
    // It asks for what no command has all of.
    expect(warnings).toHaveLength(1);
  });

  it('an empty file, and none at all, change nothing', async () => {
    write('a.yaml', '# nothing yet\n');
    expect(await load()).toMatchObject({ rules: { rules: [], otherwise: 'allow' }, warnings: [] });
    expect(await load({ policyDirectory: '' })).toMatchObject({ rules: { rules: [], otherwise: 'allow' }, files: [] });
    await expect(load({ policyDirectory: join(base, 'nowhere') })).rejects.toThrow('there is no directory');
  });

  it('roots with links in them are looked up', async () => {
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'link'));
    write('a.yaml', rule(`when: { files: { read: [${base}/link/, ${base}//link/x/y] } }`));

    expect((await load()).rules.rules[0]?.when?.files?.read).toEqual([`${base}/link`, `${base}/real`, `${base}/link/x/y`, `${base}/real/x/y`]);
  });

  it.each([
    ['effct: allow', "a.yaml:2:32: a rule has no 'effct': did you mean 'effect'?"],
    ['groups: [exce]', "a.yaml:2:41: 'exce' is no group: did you mean 'exec'?"],
    ['groups: [processes]', "a.yaml:2:41: 'processes' is no group: there are observe, freeze, files, exec, accounts, power, hardware"],
    ['commands: [guest-exek]', "a.yaml:2:43: no command is named 'guest-exek': did you mean 'guest-exec'?"],
    ['commands: [foo]', "a.yaml:2:43: no command is named 'foo': concierge-ga --block-rpcs=help lists them"],
    ['commands: []', 'a.yaml:2:42: the list is empty: take it out, or name something'],
    ['commands: [guest-x*]', "a.yaml:2: rule a: no command has a name like 'guest-x*'"],
    ['channels: [vsock]', "a.yaml:2: rule a: no channel is named 'vsock': there are virtio-serial, unix-listen, isa-serial, vsock-listen"],
    ['when: {}', "a.yaml:2:38: 'when' is empty: take it out, or say something"],
    ['when: { files: {} }', "a.yaml:2:47: 'files' is empty: take it out, or say something"],
    ['when: { files: { read: [srv] } }', "a.yaml:2:56: 'srv' is no absolute path"],
    ['when: { files: { read: [/srv/../etc] } }', "a.yaml:2:56: '/srv/../etc' has '..' in it: write the path that it leads to"],
    ['when: { files: { write: ["/srv/*"] } }', "a.yaml:2:57: '/srv/*' has a star or question mark: name directories and files, all below a directory is in it"],
    ['when: { programs: [true] }', 'a.yaml:2:51: true is not a text'],
    ['when: { programs: [ls] }', "a.yaml:2:51: 'ls' is no absolute path: a program is compared by its real one"],
    ['when: { programs: ["/x\\\\"] }', String.raw`a.yaml:2:51: a pattern does not end in '\'`],
    ['when: { arguments: ["...", x] }', "a.yaml:2:51: '...' stands at the end"],
    ['when: { size: { at-most: many } }', "a.yaml:2:57: 'many' is not a number of bytes such as '4 GiB', '512 KiB' or 100"],
    ['reason: "a\\nb"', 'a.yaml:2:40: a reason is one line, without control characters'],
    ['tell: hosts', "a.yaml:2:38: 'hosts' is no listener: did you mean 'host'?"],
    ['groups: [power], when: { users: [bob] }', 'a.yaml:2: rule a: it never fits: no command that it names has what its conditions are about'],
  ])('%s: %s', async (members, sentence) => {
    expect(await complaint(rule(members))).toBe(sentence);
  });

  it.each([
    ['rules: [', 'a.yaml:1:9: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    [`rules:\n${'['.repeat(33)}`, 'a.yaml:2: brackets are nested more than 32 deep'],
    [`# ${'['.repeat(33)}\n- a`, 'a.yaml:2:1: a list is not a mapping'],
    ['- a', 'a.yaml:1:1: a list is not a mapping'],
    ['rule: []', "a.yaml:1:1: a policy has no 'rule': did you mean 'rules'?"],
    ['rules: [{ name: a }]', "a.yaml:1:9: a rule needs 'effect'"],
    ['rules: [{ name: "a\\u202e", effect: allow }]', `a.yaml:1:17: 'a\u202E' is no name of a rule: letters, digits, blanks, '.', '_' and '-', 64 at most`],
    ['rules: []\nrules: []', 'a.yaml:2:1: Map keys must be unique'],
    ['default: maybe', "a.yaml:1:10: 'maybe' is no default: there are allow, refuse"],
    ['a: &a [x, x]\nb: &b [*a, *a]\nrules: *b', "a.yaml:2:8: '*a' is an alias: write it out"],
    ['rules: [{ name: a, effect: allow }, { name: a, effect: refuse }]', "a.yaml:1: the name 'a' is taken (a.yaml:1)"],
    ['rules: [{ name: default, effect: allow }]', "a.yaml:1: the name 'default' is taken (built in)"],
    ['rules: [{ name: a, effect: allow }, { name: b, effect: refuse }]', 'a.yaml:1: rule b: it never fits: rule a (a.yaml:1) has decided before'],
  ])('%j is told: %s', async (text, sentence) => {
    expect(await complaint(text)).toBe(sentence);
  });

  it('two defaults that contradict each other are refused', async () => {
    write('a.yaml', 'default: allow');
    write('b.yaml', 'default: refuse');

    await expect(load()).rejects.toThrow(`${directory}/b.yaml: the default is refuse here, and allow in ${directory}/a.yaml`);
  });

  it('10 000 rules are taken, one more is not, and no file of 10 MB', async () => {
    const many = (count: number): string => `rules:\n${Array.from({ length: count }, (_none, index) => `  - { name: r${index}, effect: refuse, when: { programs: [/x/${index}] } }\n`).join('')}`;
    write('a.yaml', many(10_000));
    expect((await load()).rules.rules).toHaveLength(10_000);
    write('b.yaml', 'rules: [{ name: one, effect: allow }]');
    await expect(load()).rejects.toThrow('there are more than 10000 rules');
    write('a.yaml', `#${' '.repeat(10_000_000)}`);
    await expect(load()).rejects.toThrow('a.yaml: it is longer than 2097152 bytes');
  });

  it('a megabyte of brackets is refused before it is parsed', async () => {
    write('a.yaml', '[{a: '.repeat(200_000));

    await expect(load()).rejects.toThrow('a.yaml:1: brackets are nested more than 32 deep');
  });

  it('what is no UTF-8 is refused', async () => {
    writeFileSync(join(directory, 'a.yaml'), Buffer.from('rules: [] # \xff', 'latin1'));

    await expect(load()).rejects.toThrow('a.yaml: it is not UTF-8');
  });

  it.skipIf(process.getuid?.() !== 0)('a directory or a file that others may write to is refused', async () => {
    write('a.yaml', 'rules: []');
    chmodSync(join(directory, 'a.yaml'), 0o666);
    await expect(load()).rejects.toThrow('can be written by everybody');
    chmodSync(join(directory, 'a.yaml'), 0o644);
    chmodSync(directory, 0o777);
    await expect(load()).rejects.toThrow(`${directory} can be written by everybody`);
    rmSync(join(directory, 'a.yaml'));
    await expect(load()).rejects.toThrow(`${directory} can be written by everybody`);
  });
});

describe('profiles', () => {
  it('stand behind the rules of the files', async () => {
    write('a.yaml', 'rules: [{ name: srv, effect: allow, groups: [files], when: { files: { read: [/srv] } } }]');

    expect((await load({ profile: 'manage' })).rules.rules.map(({ name }) => name)).toEqual(['srv', 'manage-no-programs', 'manage-no-files']);
  });

  it('of one\'s own are files beside the directory', async () => {
    mkdirSync(join(base, 'profiles'));
    writeFileSync(join(base, 'profiles/ours.yaml'), 'default: refuse\nrules: [{ name: ours, effect: allow, groups: [observe] }]');

    const { rules, files } = await load({ profile: 'ours' });

    expect(rules).toMatchObject({ otherwise: 'refuse', rules: [{ name: 'ours' }] });
    expect(files).toEqual([join(base, 'profiles/ours.yaml')]);
  });

  it('that are none are told, with what was meant', async () => {
    await expect(load({ profile: 'obsreve' })).rejects.toThrow('did you mean the profile observe?');
    await expect(load({ profile: '../x' })).rejects.toThrow("'../x' is no profile: there are full, manage, backup, observe");
  });
});

describe('profiles of several channels', () => {
  const channel = (name: string, profile: string): NamedChannel => ({ name, method: 'unix-listen', path: `/run/${name}`, profile, handles: 'own', vsockAllow: [] });

  it('are rules for the channels that have them, behind those of the files', async () => {
    write('a.yaml', 'rules:\n  - { name: mine, effect: allow, commands: [guest-exec], channels: [tools] }\n');

    const { rules: { rules, methods, otherwise } } = await load({ profile: 'manage', channels: [channel('tools', 'observe'), channel('too', 'manage'), channel('all', 'full')] });

    expect(rules.map(({ name, at }) => [name, at])).toEqual([
      ['mine', undefined],
      ['manage-no-programs', ['virtio-serial', 'too']], ['manage-no-files', ['virtio-serial', 'too']],
      ['observe-allows', ['tools']], ['observe-nothing-else', ['tools']],
    ]);
    expect([...(methods ?? [])]).toEqual([['tools', 'unix-listen'], ['too', 'unix-listen'], ['all', 'unix-listen']]);
    expect(otherwise).toBe('allow');
  });

  it('may be files, with a default for their channels alone', async () => {
    mkdirSync(join(base, 'profiles'), { mode: 0o755 });
    writeFileSync(join(base, 'profiles/strict.yaml'), 'default: refuse\ntell: host\nrules:\n  - { name: ping, effect: allow, commands: [guest-ping] }\n', { mode: 0o644 });
    write('a.yaml', 'default: allow\nrules:\n  - { name: mine, effect: allow, commands: [guest-exec] }\n');

    const { rules, files } = await load({ channels: [channel('tools', 'strict'), channel('more', 'strict')] });

    expect(rules.otherwise).toBe('allow');
    expect(rules.rules.map(({ name, effect, at, tell }) => [name, effect, at, tell])).toEqual([
      ['mine', 'allow', undefined, 'log'], ['ping', 'allow', ['tools', 'more'], 'host'], ['default-of-strict', 'refuse', ['tools', 'more'], 'host'],
    ]);
    expect(rules.rules.at(-1)?.origin).toEqual({ kind: 'file', file: join(base, 'profiles/strict.yaml'), line: 1, isDefault: true });
    expect(files).toEqual([join(directory, 'a.yaml'), join(base, 'profiles/strict.yaml')]);
    expect(hasPolicyFiles({ policyDirectory: '', profile: 'full', method: 'virtio-serial', allowRpcs: [], blockRpcs: [], channels: [channel('tools', 'strict')] })).toBe(true);
    await expect(load({ channels: [channel('tools', 'managed')] })).rejects.toThrow('(did you mean the profile manage?)');
  });

  it('are named in a warning where a rule names another, with what was meant', async () => {
    write('a.yaml', 'rules:\n  - { name: a, effect: refuse, commands: [guest-exec], channels: [toolz, tools, unix-listen] }\n');

    expect((await load({ channels: [channel('tools', 'full')] })).warnings).toEqual([
      `${directory}/a.yaml:2: rule a: no channel is named 'toolz': there are tools, virtio-serial, unix-listen, isa-serial, vsock-listen (did you mean tools?)`,
    ]);
  });
});

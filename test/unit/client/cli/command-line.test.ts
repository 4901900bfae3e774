// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';

import { runProgram } from '../../../../client/cli/program.ts';
import { completionsOf, wordsOf } from '../../../../client/cli/typed-arguments.ts';
import { ctl } from './ctl.ts';

describe('the command line', () => {
  it.each([
    [[], 'say what to do'],
    [['fsx'], "there is no 'fsx'"],
    [['fs', '--no-such'], 'there is no flag --no-such of fs'],
    [['fs', '--jsno'], 'there is no flag --jsno of fs; did you mean --json?'],
    [['--soket=/x', 'fs'], 'there is no flag --soket; did you mean --socket?'],
    [['--no-such'], 'there is no flag --no-such'],
    [['fs', '--json=1'], '--json takes no value'],
    [['trim', '--minimum'], '--minimum needs a value: BYTES'],
    [['trim', '--minimum', 'x'], '--minimum takes a number of bytes'],
    [['exec'], 'say which program'],
    [['exec', '--within', 'x', '--', 'a'], '--within takes a number of seconds'],
    [['completion', 'csh'], 'say for which shell: bash, zsh, fish'],
  ])('%j is refused with status 2', async (words, message) => {
    expect(await ctl(words)).toMatchObject({ status: 2, err: expect.stringContaining(message) });
  });

  it('says what it is and how it is used', async () => {
    expect((await ctl(['--version'])).out).toBe('concierge-ctl 1.2.3\n');
    expect((await ctl(['--help'])).out).toContain('cp [-r] guest:PATH PATH');
  });

  it.each([
    [['fs'], 2, 'say which guest'],
    [['--vsock', 'nonsense', 'fs'], 2, '--vsock takes'],
    [['--socket', '/x', '--via', 'false', 'fs'], 2, 'which guest is meant: --socket or --via?'],
    [['--connect', 'qemu:///session', '--socket', '/x', 'fs'], 2, '--connect belongs to --libvirt NAME'],
    [['--url', 'https://x', '--socket', '/x', 'fs'], 2, '--url belongs to --proxmox NODE/VMID'],
    [['--proxmox', '104', 'fs'], 2, '--proxmox takes a node and a guest of it'],
    [['--proxmox', 'pve1/104', 'fs'], 2, 'an API token is needed'],
    [['--proxmox', 'pve1/104', '--token-file', '/no/such/file', 'fs'], 2, 'the file /no/such/file cannot be read: there is none'],
    [['--proxmox', 'pve1/104', '--token-file', '/', 'fs'], 2, '/ is no file'],
    [['--proxmox', 'pve1/104', '--token-file', '/etc/passwd', 'fs'], 2, 'others may read /etc/passwd, which holds a secret: chmod 600'],
    [['--libvirt', '', 'fs'], 2, 'say which guest'],
    [['--libvirt', 'vm7', '--connect', 'qemu:///system?socket=/no/such/socket', 'fs'], 3, 'no libvirt daemon listens at /no/such/socket'],
    [['--libvirt', 'vm7', '--connect', 'qemu+tcp://host/system', 'fs'], 2, 'the transport tcp is not supported'],
    [['--timeout', 'soon', '--socket', '/x', 'fs'], 2, '--timeout takes'],
    [['--socket', '/no/such/socket', 'fs'], 3, 'concierge-ctl: cannot connect to /no/such/socket: there is no such socket\n'],
    [['--socket', '/dev/null', 'fs'], 3, 'concierge-ctl: cannot connect to /dev/null: it is no socket\n'],
    [['--socket', `/${'x'.repeat(200)}`, 'fs'], 3, 'the path is too long for a socket\n'],
    [['--vsock', '/no/such/socket:5', 'fs'], 3, 'cannot connect to /no/such/socket'],
  ])('%j ends with status %i', async (words, status, message) => {
    const stderr = new PassThrough();

    const ended = await runProgram({ words, environment: {}, version: '', stdin: new PassThrough(), stdout: new PassThrough(), stderr, isWatched: false });

    expect([ended, String(stderr.read())]).toEqual([status, expect.stringContaining(message)]);
  });

  it('a guest that refuses is status 1, one that says nothing 4', async () => {
    expect(await ctl(['users'], {}, { blockRpcs: ['guest-get-users'] })).toMatchObject({ status: 1, err: expect.stringContaining('has been disabled') });
    expect(await ctl(['users'], { timeline: [{ on: 'guest-get-users', do: 'answer-lost' }] })).toMatchObject({ status: 4, err: expect.stringContaining('no answer within') });
  });
});

describe('words', () => {
  it.each([
    [['thaw', 'now'], "'now' is one word too many: thaw takes none (try 'concierge-ctl thaw --help')"],
    [['cp', 'a', 'b', 'c'], "'c' is one word too many: cp takes [-r] guest:PATH PATH | [-r] PATH guest:PATH (try 'concierge-ctl cp --help')"],
    [['thraw'], "there is no 'thraw': there are info, fs,"],
    [['stauts'], "did you mean status? (try 'concierge-ctl --help')"],
    [['exec', '--nothing', 'x'], "there is no flag --nothing of exec (try 'concierge-ctl exec --help')"],
    [['kill'], "by its number in 'concierge-ctl ps' (try 'concierge-ctl kill --help')"],
    [['exce', '--nothing', 'x'], "there is no flag --nothing of exce (try 'concierge-ctl --help')"],
    [['--nothing', 'fs'], "there is no flag --nothing (try 'concierge-ctl --help')"],
  ])('that nobody asked for, as in %j, are told and not passed over', async (words, message) => {
    expect(await ctl(words)).toMatchObject({ status: 2, err: expect.stringContaining(message) });
  });

  it.each([[['-h']], [['help']], [['thaw', '-h']], [['--help', 'thaw']]])('%j asks for help', async (words) => {
    expect(await ctl(words)).toMatchObject({ status: 0, out: expect.stringContaining('Usage: concierge-ctl') });
  });
});

describe('help', () => {
  it.each([
    [['cp', '--help'], ['Usage: concierge-ctl [OPTIONS] cp [-r] guest:PATH PATH', '--mode OCTAL', '--socket PATH']],
    [['help', 'exec'], ['Usage: concierge-ctl [OPTIONS] exec', '--within SECONDS', '124 when it has not ended']],
    [['thaw', '-h'], ['Usage: concierge-ctl [OPTIONS] thaw', 'Thaws every frozen file system.']],
  ])('%j is that of the subcommand', async (words, texts) => {
    const { status, out } = await ctl(words);

    expect(status).toBe(0);
    for (const text of texts) expect(out).toContain(text);
    expect(out).not.toContain('users');
  });

  it('of raw has examples that work', async () => {
    const { out } = await ctl(['raw', '--help']);
    const examples = [...out.matchAll(/^ {2}concierge-ctl (.*)$/gm)].map(([, words = '']) => wordsOf(words));

    expect(examples.length).toBe(3);
    for (const words of examples) expect(await ctl(words)).toMatchObject({ status: 0, err: '' });
  });

  it('explains a flag once, as the subcommand means it', async () => {
    const { out } = await ctl(['frozen', '--help']);

    expect(out.match(/^ {2}--timeout .*$/gm)).toEqual([expect.stringContaining('How long all of it may take')]);
  });

  it('of nothing that there is says what was meant', async () => {
    expect(await ctl(['help', 'exce'])).toMatchObject({ status: 2, err: expect.stringContaining('did you mean exec?') });
  });
});

describe('completion', () => {
  const own = { help: [], exit: [], freeze: ['--dry-run', '--json'] };

  it.each([
    ['', 'guest-info'],
    ['guest-fi', 'guest-file-open'],
    ['guest-file-open ', 'mode='],
    ['guest-file-open path=/x m', 'mode='],
    ['guest-set-user-password crypted=t', 'crypted=true '],
    ['guest-file-seek handle=1 whence=s', 'whence=set '],
    ['help guest-f', 'guest-fstrim'],
    ['fr', 'freeze '],
    ['freeze --d', '--dry-run '],
    ['guest-file-open p', 'path='],
  ])('of %j offers %j', (line, offered) => {
    expect(completionsOf(line, own)[0]).toContain(offered);
  });

  it('offers no argument twice', () => {
    expect(completionsOf('guest-file-open path=/x ', {})[0]).toEqual(['mode=']);
  });

  it.each(['bash', 'zsh', 'fish'])('there is a script for %s', async (shell) => {
    const { status, out } = await ctl(['completion', shell]);

    expect(status).toBe(0);
    expect(out).toContain('concierge-ctl');
  });

  it.skipIf(!existsSync('/bin/bash'))('the script for bash completes (needs bash)', async () => {
    const { out } = await ctl(['completion', 'bash']);
    const ask = (...words: string[]): string =>
      execFileSync('/bin/bash', ['-c', `${out}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _concierge_ctl; echo "\${COMPREPLY[@]}"`], { encoding: 'utf8' }).trim();

    expect(ask('concierge-ctl', 'th')).toBe('thaw');
    expect(ask('concierge-ctl', 'freeze', '--d')).toBe('--dry-run');
  });
});

it('words of a line keep blanks in quotes', () => {
  expect(wordsOf(`a b='c d' "e \\"f" g="h i"j`)).toEqual(['a', 'b=c d', 'e "f', 'g=h ij']);
});

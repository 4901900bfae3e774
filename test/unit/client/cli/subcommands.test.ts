// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { table } from '../../../../client/cli/table.ts';
import { DEFAULT_PIECE, GuestClient } from '../../../../client/index.ts';
import { Base64Text } from '../../../../core/schema/types.ts';
import { createFakeGuest } from '../../../../kit/fake/index.ts';
import { scriptedAgent, type ScriptedOptions } from '../scripted-agent.ts';
import { ctl, ctlOn, ctlWith, type CtlOptions } from './ctl.ts';

describe('tables for people', () => {
  it('fs lists file systems in mount order with their use', async () => {
    const { status, out } = await ctl(['fs']);

    expect(status).toBe(0);
    const lines = out.trimEnd().split('\n').map((line) => line.split(/ {2,}/));
    expect(lines[0]).toEqual(['MOUNTED ON', 'TYPE', 'DEVICE', 'SIZE', 'USED', 'USE', 'DISKS']);
    expect(lines.slice(1).map(([mountPoint]) => mountPoint)).toEqual(['/', '/boot', '/data', '/mnt/backup']);
    expect(lines[3]).toEqual(expect.arrayContaining(['/data', 'xfs', '60.8 GiB', '5.0 GiB', '9 %']));
  });

  it('net gives each address a line', async () => {
    const { out } = await ctl(['net']);

    expect(out).toMatch(/^eth0 +52:54:00:12:34:56 +1\.0 TiB +700\.0 MiB +192\.0\.2\.10\/24\n +fe80::5054:ff:fe12:3456\/64$/m);
  });

  it('users says so when nobody is there', async () => {
    expect((await ctl(['users'], { machine: { sessions: [] } })).out).toBe('nobody is logged in\n');
  });

  it('users, os and info say the rest', async () => {
    const guest = await createFakeGuest();

    expect((await ctlOn(guest, ['users'])).out).toMatch(/^alice +2025-12-31T23:00:00Z$/m);
    expect((await ctlOn(guest, ['os'])).out).toMatch(/^name +Debian GNU\/Linux 13 \(trixie\)$/m);
    expect((await ctlOn(guest, ['info'])).out).toMatch(/^host name +fake$/m);
  });

  it('info leaves out what the guest refuses, and lists what is disabled', async () => {
    const { status, out } = await ctl(['info'], {}, { blockRpcs: ['guest-get-osinfo'] });

    expect(status).toBe(0);
    expect(out).toMatch(/^disabled +guest-get-osinfo$/m);
    expect(out).not.toMatch(/^system/m);
  });

  it('a name with control characters does not reach the terminal as it is', async () => {
    const { out } = await ctl(['users'], { machine: { sessions: [{ user: 'eve\u001b[2J\n', loginTime: 0 }] } });

    expect(out).not.toContain('\u001b');
    expect(out.split('\n')).toHaveLength(3);
  });
});

it('one long name does not widen the lines of all others', async () => {
  const long = 'n'.repeat(100_000);
  const { out } = await ctl(['users'], { machine: { sessions: [long, ...Array.from({ length: 100 }, (_, index) => `user${index}`)].map((user) => ({ user, loginTime: 0 })) } });

  expect(out).toContain(long);
  expect(out.length).toBeLessThan(120_000);
});

it('takes more rows than a call takes arguments', () => {
  expect(table([{ title: 'USER' }], Array.from({ length: 200_000 }, () => ['u'])).length).toBe('USER\n'.length + 400_000);
});

describe('text of a guest', () => {
  /** Changes a title, erases with C1, turns the direction, is invisible. */
  const evil = '\u001b]0;owned\u0007\u009b2J\u202e\u200b';
  const escaped = '\\x1b]0;owned\\x07\\x9b2J\\u202e\\u200b';
  const onEvil = (words: readonly string[], answer: ScriptedOptions['answer'], options?: CtlOptions) =>
    ctlWith(async () => new GuestClient(scriptedAgent(answer === undefined ? {} : { answer }).host, { timeoutMs: 1000 }), words, options);
  const refusing: ScriptedOptions['answer'] = (_name, id) => `{"error": {"class": "GenericError", "desc": ${ascii(evil)}}${id}}\n`;
  const ascii = (text: string): string => JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

  it.each([['fs'], ['raw', 'guest-ping'], ['exec', '--', 'x'], ['thaw'], ['cp', 'guest:/x', '-']])('has no effect on a terminal as the error of %s', async (...words) => {
    const { out, err } = await onEvil(words, refusing);

    expect(`${out}${err}`).toContain(escaped);
    expect(`${out}${err}`.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('has none in a conversation', async () => {
    const { out } = await onEvil(['shell'], refusing, { input: 'guest-ping\nfs\nraw x\n' });

    expect(out.split('\n').filter((line) => line.includes(escaped))).toHaveLength(3);
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('has none as a state, nor as a reason that nobody knows', async () => {
    const { out } = await onEvil(['status'], (name, id) => name === 'guest-fsfreeze-status'
      ? `{"return": ${ascii(evil)}${id}}\n`
      : `{"return": {"status": "thawed", "started-at": 1, "ended-at": 2, "ended-by": ${ascii(evil)}, "filesystems": [], "left-out": [], "hooks": []}${id}}\n`);

    expect(out.split('\n')[0]).toBe(escaped);
    expect(out).toContain(`by ${escaped}`);
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('is escaped in JSON, member names too, and stays the same value', async () => {
    const { out } = await onEvil(['raw', 'x'], (_name, id) => `{"return": {${ascii(evil)}: ${ascii(evil)}}${id}}\n`);

    expect(JSON.parse(out)).toEqual({ [evil]: evil });
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(out).toContain('\\u009b2J\\u202e');
  });

  it('from a program or a file has none on a terminal, and is what it is anywhere else', async () => {
    const scenario = { machine: { files: { '/data/f': `${evil}\n\tü`, '/usr/bin/p': { program: ({ print, complain }: { print: (text: string) => void; complain: (text: string) => void }) => (print(`${evil}\n`), complain(evil), 0) } } } };

    expect(await ctl(['exec', '--', 'p'], scenario)).toMatchObject({ out: `${evil}\n`, err: evil });
    expect(await ctl(['exec', '--', 'p'], scenario, { screen: true, watched: true })).toMatchObject({ out: `${escaped}\n`, err: escaped });
    expect((await ctl(['cp', 'guest:/data/f', '-'], scenario)).out).toBe(`${evil}\n\tü`);
    expect((await ctl(['cp', 'guest:/data/f', '-'], scenario, { screen: true })).out).toBe(`${escaped}\n\tü`);
  });
});

it('--json prints what the agent answered, integers exact', async () => {
  const { out } = await ctl(['net', '--json'], {
    machine: {
      interfaces: [{ name: 'lo', addresses: [], statistics: { rxBytes: 2n ** 64n - 1n, rxPackets: 0n, rxErrors: 0n, rxDropped: 0n, txBytes: 0n, txPackets: 0n, txErrors: 0n, txDropped: 0n } }],
    },
  });

  expect(out).toContain('"rx-bytes": 18446744073709551615');
  expect(JSON.parse(out)).toMatchObject([{ name: 'lo' }]);
});

describe('freezing', () => {
  it('freezes, tells the state, and thaws, with a report each time', async () => {
    const guest = await createFakeGuest();

    const frozen = await ctlOn(guest, ['freeze']);
    const held = guest.machine.fileSystems.frozen;
    const state = await ctlOn(guest, ['status']);
    const thawed = await ctlOn(guest, ['thaw']);

    expect(frozen.out).toMatch(/^4 file systems frozen$/m);
    expect(frozen.err).toMatch(/stays frozen until it is thawed, at the latest until \d{4}-.*Z by the guest's clock \(concierge-ctl thaw\)/);
    expect(held).toHaveLength(4);
    expect(state.out).toMatch(/^frozen\nstays so until it is thawed, at the latest until \d{4}-/);
    expect(state.out).toMatch(/^frozen \S+Z, until \S+Z at the latest$/m);
    expect(thawed.out).toMatch(/^4 file systems thawed$/m);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('freezes only what is named', async () => {
    const guest = await createFakeGuest();

    const { out } = await ctlOn(guest, ['freeze', '/boot', '--json']);

    expect(JSON.parse(out)).toMatchObject({ frozen: 1 });
    expect(guest.machine.fileSystems.frozen).toEqual(['/boot']);
  });

  it('tells that it has no deadline where it has none', async () => {
    const guest = await createFakeGuest({}, { freezeTimeoutMs: 0 });

    expect((await ctlOn(guest, ['freeze'])).err).toContain('stays frozen until it is thawed: it has no deadline');
    await ctlOn(guest, ['thaw']);
  });

  it('a thaw of nothing tells nothing of a freeze long ago', async () => {
    const guest = await createFakeGuest();
    await ctlOn(guest, ['freeze']);
    await ctlOn(guest, ['thaw']);

    expect((await ctlOn(guest, ['thaw'])).out).toBe('nothing was frozen (concierge-ctl status tells of the last freeze)\n');
    expect(JSON.parse((await ctlOn(guest, ['thaw', '--json'])).out)).toEqual({ thawed: 0 });
  });

  it('a dry run asks the agent for its plan, runs nothing in the guest and touches nothing', async () => {
    const guest = await createFakeGuest({}, { realTime: true, blockRpcs: ['guest-exec'] });

    const { status, out } = await ctlOn(guest, ['freeze', '--dry-run', '/data']);
    const json = JSON.parse((await ctlOn(guest, ['freeze', '--dry-run', '--json'])).out) as { filesystems: object[] };

    expect(status).toBe(0);
    expect(out).toMatch(/^LEVEL  MOUNTED ON  TYPE  DEVICE +TO BE FLUSHED\n    1  \/data /);
    expect(json.filesystems).toHaveLength(4);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('a dry run of nothing says why', async () => {
    expect(await ctl(['freeze', '--dry-run', '/proc'])).toMatchObject({ status: 0, out: expect.stringMatching(/^nothing would be frozen: 1 file system is left out, all of them listed with --json\n/) });
    expect(await ctl(['freeze', '--dry-run', '/nope'])).toMatchObject({ status: 1, out: 'nothing would be frozen: what is named is no mount point\n', err: 'concierge-ctl: nothing is mounted at /nope (concierge-ctl fs tells the mount points)\n' });
  });

  it('lists the first thousand of what is left out, and says how many there are beyond', async () => {
    const leftOut = Array.from({ length: 1002 }, (_, index) => ({ mountpoint: `/run/${index}`, type: 'ext4', reason: 'not-freezable', detail: `no freeze for ${index}` }));
    const answers: Readonly<Record<string, unknown>> = {
      'guest-fsfreeze-status': 'thawed',
      '__org.concierge_fsfreeze-plan': { filesystems: [], 'left-out': leftOut, hooks: [], unmatched: [], covered: [], 'idle-exclusions': [], 'cut-cycles': [] },
      '__org.concierge_fsfreeze-report': { status: 'thawed', 'started-at': 1, filesystems: [], 'left-out': leftOut, hooks: [] },
    };
    const told = async (words: readonly string[]) => (await ctlWith(async () => new GuestClient(scriptedAgent({
      answer: (name, id) => `{"return": ${JSON.stringify(answers[name])}${id}}\n`,
    }).host), words)).out.split('\n').filter((line) => line.startsWith('left out '));

    for (const words of [['freeze', '--dry-run'], ['status']]) {
      const lines = await told(words);

      expect(lines.slice(-2)).toEqual(['left out /run/999: no freeze for 999', 'left out 2 more, all of them listed with --json']);
      expect(lines).toHaveLength(1001);
    }
  });

  it('a dry run of another agent lists what could be frozen, and says so', async () => {
    const answers: Readonly<Record<string, string>> = { 'guest-get-fsinfo': '[{"name": "vda2", "mountpoint": "/data", "type": "xfs", "disk": []}, {"name": "vda1", "mountpoint": "/", "type": "ext4", "disk": []}]' };
    const other = (words: readonly string[]) => ctlWith(async () => new GuestClient(scriptedAgent({
      answer: (name, id) => answers[name] === undefined
        ? `{"error": {"class": "CommandNotFound", "desc": "The command ${name} has not been found"}${id}}\n`
        : `{"return": ${answers[name]}${id}}\n`,
    }).host), words);
    const text = await other(['freeze', '--dry-run']);

    expect(text).toMatchObject({ status: 0, out: '/data\n/\n', err: expect.stringContaining('not Concierge') });
    expect(JSON.parse((await other(['freeze', '--dry-run', '--json', '/'])).out)).toEqual({ filesystems: [{ mountpoint: '/', type: 'ext4', source: 'vda1', level: 1 }] });
  });
});

it('trim tells what was discarded, and fails where something went wrong', async () => {
  const guest = await createFakeGuest();
  const good = await ctlOn(guest, ['trim', '--minimum', '4096']);
  guest.machine.faults.inject({ port: 'kernel', method: 'fitrim', on: '/data', error: 'EIO' });

  const bad = await ctlOn(guest, ['trim']);

  expect(good).toMatchObject({ status: 0, out: expect.stringMatching(/^\/data +32\.0 GiB$/m) });
  expect(bad).toMatchObject({ status: 1, out: expect.stringContaining('Input/output error') });
});

describe('exec', () => {
  it('prints what the program printed, and ends with its status', async () => {
    const { status, out, err } = await ctl(['exec', '--', 'program', '--json', 'x'], {
      machine: { files: { '/usr/bin/program': { program: ({ argv, print, complain }) => (print(argv.slice(1).join()), complain('hm'), 7) } } },
    });

    expect([status, out, err]).toEqual([7, '--json,x', 'hm']);
  });

  it('hands standard input on when it is told to', async () => {
    expect((await ctl(['exec', '--stdin', '--', 'cat'], {}, { input: 'in' })).out).toBe('in');
  });

  it('ends with 128 and the signal', async () => {
    expect(await ctl(['exec', '--', 'program'], { machine: { files: { '/usr/bin/program': { program: () => ({ signal: 15 }) } } } })).toMatchObject({ status: 143 });
  });

  it.each([256, 3_221_225_477, -1, '9223372036854775807'])('ends with 255 where the program has ended with %s, and says so', async (code) => {
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name === 'guest-exec' ? '{"pid": 1}' : `{"exited": true, "exitcode": ${code}}`}${id}}\n` });
    const { status, err } = await ctlWith(async () => new GuestClient(agent.host, { timeoutMs: 1000 }), ['exec', '--', 'x']);

    expect(status).toBe(255);
    expect(err).toContain('for which an exit status has no room');
  });

  it('ends with 255 where the number of a signal is none', async () => {
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name === 'guest-exec' ? '{"pid": 1}' : '{"exited": true, "signal": 128}'}${id}}\n` });

    expect(await ctlWith(async () => new GuestClient(agent.host, { timeoutMs: 1000 }), ['exec', '--', 'x'])).toMatchObject({ status: 255 });
  });

  it('ends with 255 where nothing ran', async () => {
    expect(await ctl(['exec', '--', '/no/such'])).toMatchObject({ status: 255, err: expect.stringContaining('No such file or directory') });
    expect(await ctl(['exec', '--within', '0.01', '--', 'sleep', '60'])).toMatchObject({ status: 124, err: expect.stringContaining('has not ended') });
  });
});

describe('cp', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'concierge-ctl-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('copies out of the guest, into a directory or to a name', async () => {
    const guest = await createFakeGuest({ machine: { files: { '/data/a': 'contents' } } });

    await ctlOn(guest, ['cp', 'guest:/data/a', directory]);
    await ctlOn(guest, ['cp', 'guest:/data/a', join(directory, 'b')]);

    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('contents');
    expect(await readFile(join(directory, 'b'), 'utf8')).toBe('contents');
  });

  it('copies into the guest, under its own name where only a directory is given', async () => {
    const guest = await createFakeGuest();
    await writeFile(join(directory, 'here'), 'ours');

    const { status } = await ctlOn(guest, ['cp', join(directory, 'here'), 'guest:/data/']);

    expect(status).toBe(0);
    expect(guest.machine.files.text('/data/here')).toBe('ours');
  });

  it('copies files of many pieces there and back, to the last byte', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    const bytes = Buffer.alloc(3 * DEFAULT_PIECE + 1, Buffer.from(Array.from({ length: 8191 }, (_, index) => (index * 7919) >> 4)));
    await writeFile(join(directory, 'long'), bytes);

    await ctlOn(guest, ['cp', join(directory, 'long'), 'guest:/data/long']);
    await ctlOn(guest, ['cp', 'guest:/data/long', join(directory, 'back')]);

    expect((await readFile(join(directory, 'back'))).equals(bytes)).toBe(true);
  });

  it('copies from standard input and to standard output', async () => {
    const guest = await createFakeGuest();

    await ctlOn(guest, ['cp', '-', 'guest:/data/piped'], { input: 'through a pipe' });
    const { out } = await ctlOn(guest, ['cp', 'guest:/data/piped', '-']);

    expect(out).toBe('through a pipe');
  });

  it('gives the memory of each piece back as soon as standard output has it', async () => {
    const released = vi.spyOn(Base64Text.prototype, 'release');
    const guest = await createFakeGuest({}, { realTime: true });
    guest.machine.files.write('/data/long', Buffer.alloc(2 * DEFAULT_PIECE, 'a'));

    const { out } = await ctlOn(guest, ['cp', 'guest:/data/long', '-']);
    const releases = released.mock.calls.length;
    released.mockRestore();

    expect(out === 'a'.repeat(2 * DEFAULT_PIECE)).toBe(true);
    expect(releases).toBeGreaterThanOrEqual(2);
  });

  it('keeps the mode of what it replaces and what links to it, or takes the one that is given', async () => {
    const there = join(directory, 'there');
    await writeFile(there, 'old');
    await chmod(there, 0o640);
    await symlink('there', join(directory, 'link'));
    const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o7777;

    await ctl(['cp', 'guest:/data/a', join(directory, 'link')], { machine: { files: { '/data/a': 'new' } } });
    const kept = await modeOf(there);
    await ctl(['cp', '--mode', '600', 'guest:/data/a', there], { machine: { files: { '/data/a': 'newer' } } });
    await ctl(['cp', '--mode', '755', 'guest:/data/a', join(directory, 'fresh')], { machine: { files: { '/data/a': 'x' } } });

    expect([kept, await modeOf(there), await modeOf(join(directory, 'fresh'))]).toEqual([0o640, 0o600, 0o755]);
    expect([await readFile(there, 'utf8'), (await readdir(directory)).sort()]).toEqual(['newer', ['fresh', 'link', 'there']]);
  });

  it('leaves what is here as it was when the copy fails in the middle', async () => {
    const there = join(directory, 'there');
    await writeFile(there, 'precious');
    const guest = await createFakeGuest({ timeline: [{ on: 'guest-file-read', nth: 3, do: 'connection-drops' }] }, { realTime: true });
    guest.machine.files.write('/data/long', Buffer.alloc(4 * DEFAULT_PIECE, 'a'));

    const { status } = await ctlOn(guest, ['cp', 'guest:/data/long', there]);

    expect([status, await readFile(there, 'utf8'), await readdir(directory)]).toEqual([3, 'precious', ['there']]);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])('given up by %s it leaves nothing behind, here or in the guest', async (signal) => {
    const signals = new EventEmitter();
    const guest = await createFakeGuest({ timeline: [{ on: 'guest-file-read', nth: 3, do: 'answer-lost' }] }, { realTime: true });
    guest.machine.files.write('/data/long', Buffer.alloc(4 * DEFAULT_PIECE, 'a'));

    const copying = ctlOn(guest, ['cp', 'guest:/data/long', join(directory, 'there')], { signals });
    await vi.waitFor(async () => expect(await readdir(directory)).toHaveLength(1), { timeout: 20_000 });
    signals.emit(signal);

    expect([(await copying).status, await readdir(directory), signals.listenerCount(signal)]).toEqual([{ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal], [], 0]);
    expect(guest.machine.faults.calls.filter((call) => call.startsWith('fileSystem.files.openFile.close'))).toHaveLength(1);
  });

  it.each([['4M', 1, 'concierge-ctl: the guest sends more than --max-size 4M\n', []], ['6M', 0, '', ['there']], ['6291456', 0, '', ['there']], ['6291455', 1, 'concierge-ctl: the guest sends more than --max-size 6291455\n', []]])('takes no more than --max-size %s', async (most, status, err, left) => {
    const guest = await createFakeGuest({}, { realTime: true });
    guest.machine.files.write('/data/long', Buffer.alloc(6 * 1024 * 1024, 'a'));

    const told = await ctlOn(guest, ['cp', '--max-size', most, 'guest:/data/long', join(directory, 'there')]);

    expect([told, await readdir(directory)]).toEqual([{ status, out: '', err }, left]);
  });

  it('knows what a --max-size is, and for what', async () => {
    expect(await ctl(['cp', '--max-size', '1.5G', 'guest:/a', 'b'])).toMatchObject({ status: 2, err: expect.stringContaining("--max-size takes a number of bytes, or as 500M or 2G, not '1.5G'") });
    expect(await ctl(['cp', '--max-size', '1G', 'b', 'guest:/a'])).toMatchObject({ status: 2, err: expect.stringContaining('--max-size is for what comes from the guest') });
  });

  it('asks before it replaces a file, where somebody can be asked', async () => {
    const there = join(directory, 'there');
    await writeFile(there, 'precious');
    const scenario = { machine: { files: { '/data/a': 'new' } } };
    const asked = { typed: true, watched: true };

    const no = await ctl(['cp', 'guest:/data/a', there], scenario, { ...asked, input: 'n\n' });
    const kept = await readFile(there, 'utf8');
    const nobody = await ctl(['cp', 'guest:/data/a', there], scenario, asked);
    const yes = await ctl(['cp', 'guest:/data/a', there], scenario, { ...asked, input: 'y\n' });
    const forced = await ctl(['cp', '--force', 'guest:/data/a', there], scenario, { ...asked, input: 'n\n' });

    expect([no.status, kept, nobody.status, yes.status, forced.status]).toEqual([1, 'precious', 1, 0, 0]);
    expect(no.err).toContain(`${there} is there already. Replace it? [y/N] `);
    expect(forced.err).not.toContain('Replace it?');
    expect(await readFile(there, 'utf8')).toBe('new');
  });

  it('refuses a mode that is none, and one for a file in the guest', async () => {
    expect(await ctl(['cp', '--mode', 'rw', 'guest:/a', 'b'])).toMatchObject({ status: 2, err: expect.stringContaining('octal') });
    expect(await ctl(['cp', '--mode', '600', 'b', 'guest:/a'])).toMatchObject({ status: 2, err: expect.stringContaining('--mode is for a file here') });
  });

  it('ends when the guest says for ever that there is more and sends nothing', async () => {
    const answers: Readonly<Record<string, string>> = { 'guest-file-open': '7', 'guest-file-read': '{"count": 0, "buf-b64": "", "eof": false}', 'guest-file-close': '{}' };
    const client = async () => new GuestClient(scriptedAgent({ answer: (name, id) => `{"return": ${answers[name]}${id}}\n` }).host);

    expect(await ctlWith(client, ['cp', '--timeout', '0.02', 'guest:/x', join(directory, 'x')])).toMatchObject({ status: 4, err: expect.stringContaining('has sent nothing for 0.02 s') });
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    ['/no/such/file', 'guest:/data/', 'concierge-ctl: /no/such/file cannot be read: there is no such file or directory\n'],
    ['guest:/data/a', '/no/such/folder/a', 'concierge-ctl: /no/such/folder/a cannot be written: there is no such file or directory\n'],
    ['guest:/data/a', '/etc/hostname/a', 'concierge-ctl: /etc/hostname/a cannot be written: a part of the path is no directory\n'],
    ['/etc/hostname/a', 'guest:/data/', 'concierge-ctl: /etc/hostname/a cannot be read: a part of the path is no directory\n'],
    ['guest:/data', '/tmp/no-such-place', 'concierge-ctl: /data: failed to read file: Is a directory: say -r to copy all that is in it\n'],
    ['guest:/data', '-', 'concierge-ctl: /data: failed to read file: Is a directory: say -r to copy all that is in it\n'],
  ])('says in a sentence why %s is not copied to %s', async (from, to, sentence) => {
    expect(await ctl(['cp', from, to], { machine: { files: { '/data/a': 'x' } } })).toMatchObject({ status: 1, err: sentence });
  });

  it('leaves what is here alone when the guest has no such file', async () => {
    await writeFile(join(directory, 'kept'), 'precious');

    const { status, err } = await ctl(['cp', 'guest:/no/such', join(directory, 'kept')]);

    expect([status, await readFile(join(directory, 'kept'), 'utf8')]).toEqual([1, 'precious']);
    expect(err).toContain('No such file or directory');
  });

  it('tells what was copied to a program that asked for it', async () => {
    const { out } = await ctl(['cp', '--json', 'guest:/data/a', join(directory, 'a')], { machine: { files: { '/data/a': 'four' } } });

    expect(JSON.parse(out)).toEqual({ from: 'guest:/data/a', to: join(directory, 'a'), bytes: 4 });
    expect(await ctl(['cp', '--json', 'guest:/data/a', '-'])).toMatchObject({ status: 2 });
  });

  it('touches nothing in the guest when there is nothing here that could be read', async () => {
    const guest = await createFakeGuest({ machine: { files: { '/data/kept': 'precious' } } });

    const missing = await ctlOn(guest, ['cp', join(directory, 'nothing'), 'guest:/data/kept']);
    const folder = await ctlOn(guest, ['cp', directory, 'guest:/data/kept']);

    expect([missing.status, folder.status]).toEqual([1, 2]);
    expect(guest.machine.files.text('/data/kept')).toBe('precious');
  });

  it('says which file the guest could not write, and gives its handle back', async () => {
    const guest = await createFakeGuest({ machine: { files: { '/data/new': '' } } });
    guest.machine.fileSystems.get('/data').full = true;
    await writeFile(join(directory, 'here'), 'ours');

    const { status, err } = await ctlOn(guest, ['cp', join(directory, 'here'), 'guest:/data/new']);

    expect([status, err]).toEqual([1, expect.stringMatching(/\/data\/new: .*No space left on device/)]);
    expect(guest.machine.faults.calls.filter((call) => call.startsWith('fileSystem.files.openFile.close'))).toHaveLength(1);
  });

  it.skipIf(!existsSync('/dev/full'))('says so when there is no room here (needs /dev/full)', async () => {
    expect(await ctl(['cp', 'guest:/data/a', '/dev/full'], { machine: { files: { '/data/a': 'x' } } })).toMatchObject({ status: 1, err: expect.stringContaining('no space left') });
  });

  it('shows how far it is to somebody who watches', async () => {
    const { err } = await ctl(['cp', 'guest:/data/a', join(directory, 'a')], { machine: { files: { '/data/a': 'x'.repeat(2048) } } }, { watched: true });

    expect(err).toContain('guest:/data/a 100 % 2.0 KiB');
  });

  it.each([[['cp', 'a', 'b']], [['cp', 'guest:/a', 'guest:/b']], [['cp', 'guest:/a']], [['cp', 'guest:', 'b']], [['cp', '-', 'guest:']]])('refuses %j', async (words) => {
    expect(await ctl(words)).toMatchObject({ status: 2 });
  });
});

it.each([['fs'], ['freeze', '--dry-run'], ['trim'], ['cp', 'guest:/data/a', '-'], ['raw', 'guest-get-fsinfo']])('a refusal of %s for the sake of a freeze says so', async (...words) => {
  const guest = await createFakeGuest({}, { realTime: true });
  await ctlOn(guest, ['freeze']);

  expect(await ctlOn(guest, words)).toMatchObject({ status: 1, err: expect.stringContaining('while the guest is frozen (concierge-ctl thaw ends that)') });
  expect((await ctlOn(guest, ['exec', '--', 'x'])).err).toContain('while the guest is frozen (concierge-ctl thaw ends that)');
  expect((await ctlOn(guest, ['shell'], { input: `${words.join(' ')}\n` })).out).toContain('while the guest is frozen (concierge-ctl thaw ends that)');
  await ctlOn(guest, ['thaw']);
});

it('a refusal for the sake of a freeze says so', async () => {
  const guest = await createFakeGuest({}, { realTime: true });
  await ctlOn(guest, ['freeze']);

  expect(await ctlOn(guest, ['fs'])).toMatchObject({ status: 1, err: expect.stringContaining('while the guest is frozen (concierge-ctl thaw ends that)') });
  await ctlOn(guest, ['thaw']);
  expect(await ctlOn(guest, ['fs'])).toMatchObject({ status: 0 });
});

describe('raw', () => {
  it('takes a name with arguments, and whole requests with exact integers', async () => {
    expect((await ctl(['raw', 'guest-sync', '{"id": 9007199254740993}'])).out).toBe('9007199254740993\n');
    expect((await ctl(['raw', '{"execute": "guest-sync", "arguments": {"id": 9007199254740993}}'])).out).toBe('9007199254740993\n');
    expect((await ctl(['raw', 'guest-file-open', '{"path": "/etc/hostname",\n "mode": "r"}'])).out).toBe('1000\n');
  });

  it.each([
    ['guest-pong', 'The command guest-pong has not been found (did you mean guest-ping?)'],
    ['guest-get-devices', 'The command guest-get-devices has not been found (concierge-ctl raw guest-info lists what the agent has)'],
    ['x', 'The command x has not been found (concierge-ctl raw guest-info lists what the agent has)'],
  ])('says of %s, which the agent lacks, what there is', async (name, sentence) => {
    expect(await ctl(['raw', name])).toEqual({ status: 1, out: '', err: `concierge-ctl: ${sentence}\n` });
  });

  it.each([[['raw']], [['raw', 'guest-sync', '5']], [['raw', '{"arguments": {}}']], [['raw', '{nonsense']]])('refuses %j', async (words) => {
    expect(await ctl(words)).toMatchObject({ status: 2 });
  });
});

describe('shell', () => {
  it('does one command a line, arguments by name, and goes on after a mistake', async () => {
    const { status, out } = await ctl(['shell'], {}, {
      input: "guest-file-open path='/etc/hostname' mode=r\nguest-file-read handle=1000 count=4\nguest-no-such\nguest-sync id=x\n\nhelp guest-sync\nguest-get-host-name\nexit\nguest-get-time\n",
    });

    expect(status).toBe(1);
    expect(out).toContain('1000\n');
    expect(out).toContain('"buf-b64": "ZmFrZQ=="');
    expect(out).toContain('has not been found');
    expect(out).toContain("id is a whole number, not 'x'");
    expect(out).toContain('guest-sync: ');
    expect(out).toContain('"host-name": "fake"');
    expect(out).not.toMatch(/^\d{19}$/m);
  });

  it.each(['quit', 'exit'])('ends with %s', async (word) => {
    const { status, out } = await ctl(['shell'], {}, { input: `help ${word}\n${word}\nguest-get-host-name\n` });

    expect(status).toBe(0);
    expect(out).toMatch(new RegExp(`^${word}: `));
    expect(out).not.toContain('host-name');
  });

  it('lists its own words among those that can be typed', async () => {
    expect((await ctl(['shell'], {}, { input: 'help\n' })).out).toMatch(/^help +Lists[^]*^exit +Ends[^]*^quit +The same/m);
  });

  it('does subcommands too, in the same conversation', async () => {
    const { status, out } = await ctl(['shell'], {}, { input: 'freeze /data\nguest-fsfreeze-status\nthaw\nthaw now\ncp - guest:/x\nhelp freeze\nhelp nonsense\nos --json\nhelp\n' });

    expect(status).toBe(1);
    expect(out).toContain('1 file system frozen\n');
    expect(out).toContain('"frozen"\n');
    expect(out).toContain('1 file system thawed\n');
    expect(out).toContain("'now' is one word too many");
    expect(out).toContain('standard input is this conversation');
    expect(out).toContain('freeze [--dry-run] [MOUNTPOINT...]: ');
    expect(out).toContain("there is no 'nonsense': help alone lists what there is");
    expect(out).toContain('"id": "debian"');
    expect(out).toMatch(/^guest-fstrim +\S/m);
  });
});

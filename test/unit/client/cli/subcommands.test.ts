import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { DEFAULT_PIECE } from '../../../../client/index.ts';
import { Base64Text } from '../../../../core/schema/types.ts';
import { createFakeGuest } from '../../../../kit/fake/index.ts';
import { ctl, ctlOn } from './ctl.ts';

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
    expect(frozen.err).toContain('concierge-ctl thaw');
    expect(held).toHaveLength(4);
    expect(state.out).toMatch(/^frozen$/m);
    expect(thawed.out).toMatch(/^4 file systems thawed$/m);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('freezes only what is named', async () => {
    const guest = await createFakeGuest();

    const { out } = await ctlOn(guest, ['freeze', '/boot', '--json']);

    expect(JSON.parse(out)).toMatchObject({ frozen: 1 });
    expect(guest.machine.fileSystems.frozen).toEqual(['/boot']);
  });

  it('a dry run asks the program of the guest, and touches nothing', async () => {
    const guest = await createFakeGuest({ machine: { files: { '/usr/bin/concierge-ga': { program: ({ argv, print }) => print(`plan of ${argv.slice(1).join(' ')}\n`) } } } }, { realTime: true });

    const { status, out } = await ctlOn(guest, ['freeze', '--dry-run', '/data']);

    expect([status, out]).toEqual([0, 'plan of freeze --dry-run /data\n']);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('a dry run without that program lists what could be frozen, and says so', async () => {
    const { out, err } = await ctl(['freeze', '--dry-run']);

    expect(out).toBe('/mnt/backup\n/data\n/boot\n/\n');
    expect(err).toContain('no concierge-ga');
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

  it('ends with 255 where nothing ran', async () => {
    expect(await ctl(['exec', '--', '/no/such'])).toMatchObject({ status: 255, err: expect.stringContaining('No such file or directory') });
    expect(await ctl(['exec', '--within', '0.01', '--', 'sleep', '60'])).toMatchObject({ status: 255, err: expect.stringContaining('has not ended') });
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

// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { linuxSessions } from '../../../adapters/linux/accounts/accounts.ts';
import { linuxPasswords } from '../../../adapters/linux/accounts/passwords.ts';
import { linuxSshKeys, type AccountsAddon } from '../../../adapters/linux/accounts/ssh-keys.ts';
import { losslessBytes, losslessText } from '../../../adapters/linux/text.ts';
import { parseUtmp, utmpLayout, type UtmpLayout } from '../../../adapters/linux/accounts/utmp.ts';
import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import { layOut } from '../../fixtures/machines/load.ts';

interface Entry { readonly type?: number; readonly user: string | Buffer; readonly seconds: number; readonly microseconds?: number }

function utmp(layout: UtmpLayout, ...entries: readonly Entry[]): Buffer {
  return Buffer.concat(entries.map(({ type = 7, user, seconds, microseconds = 0 }) => {
    const record = Buffer.alloc(layout.size);
    if (layout.littleEndian) record.writeInt16LE(type);
    else record.writeInt16BE(type);
    record.set(Buffer.from(user).subarray(0, 32), 44);
    for (const [index, number] of [seconds, microseconds].entries()) {
      const at = layout.secondsAt + index * layout.width;
      if (layout.width === 8) record.writeBigInt64LE(BigInt(number), at);
      else if (layout.littleEndian) record.writeInt32LE(number, at);
      else record.writeInt32BE(number, at);
    }
    return record;
  }));
}

const x64 = utmpLayout('x64');

describe('utmp', () => {
  it('has the sessions of users, with fractions of seconds, in file order', () => {
    const file = utmp(x64, { type: 2, user: 'reboot', seconds: 1 }, { user: 'zoe', seconds: 1_700_000_000, microseconds: 250_000 }, { type: 8, user: 'gone', seconds: 5 },
      { user: 'adam', seconds: 1_600_000_000 }, { user: 'zoe', seconds: 1_700_000_100 });

    expect(parseUtmp(file, x64)).toEqual([
      { user: 'zoe', loginTime: 1_700_000_000.25 }, { user: 'adam', loginTime: 1_600_000_000 }, { user: 'zoe', loginTime: 1_700_000_100 },
    ]);
  });

  it.each([['arm64', true, 400], ['x64', true, 384], ['s390x', false, 384], ['loong64', true, 400]] as const)('is read in the layout of %s', (architecture, littleEndian, size) => {
    const layout = utmpLayout(architecture, littleEndian);

    expect(layout.size).toBe(size);
    expect(parseUtmp(utmp(layout, { user: 'ann', seconds: 1_700_000_000, microseconds: 500_000 }), layout)).toEqual([{ user: 'ann', loginTime: 1_700_000_000.5 }]);
  });

  it('may have names of full length, without name, or that are no UTF-8', () => {
    const file = utmp(x64, { user: 'x'.repeat(32), seconds: 1 }, { user: '', seconds: 2 }, { user: Buffer.from([0x61, 0xff]), seconds: 3 });

    expect(parseUtmp(file, x64).map((session) => session.user)).toEqual(['x'.repeat(32), 'a\uFFFD']);
  });

  it('that is cut loses the cut record only', () => {
    const file = utmp(x64, { user: 'ann', seconds: 1 }, { user: 'bob', seconds: 2 });

    expect(parseUtmp(file.subarray(0, file.length - 1), x64)).toEqual([{ user: 'ann', loginTime: 1 }]);
    expect(parseUtmp(Buffer.alloc(0), x64)).toEqual([]);
  });
});

describe('sessions', () => {
  const session = (id: string, values: Record<string, string>): string =>
    [`/run/systemd/sessions/${id} <<`, '  # This is private data. Do not parse.', ...Object.entries(values).map(([key, value]) => `  ${key}=${value}`)].join('\n');
  const zoe = { UID: '1000', USER: 'zoe', STATE: 'active', TYPE: 'tty', CLASS: 'user', REALTIME: '1700000000250000' };

  it('come from logind where there is no utmp, oldest first, people only', async () => {
    using guest = layOut([
      session('3', zoe), session('c1', { ...zoe, USER: 'gdm', CLASS: 'greeter' }), session('5', { ...zoe, USER: 'adam', TYPE: 'wayland', REALTIME: '1600000000000000' }),
      session('7', { ...zoe, USER: 'cron', TYPE: 'unspecified' }), session('8', { ...zoe, USER: 'left', STATE: 'closing' }), session('9', { ...zoe, CLASS: 'manager' }),
      session('10', { USER: 'half' }), '/run/systemd/sessions/11 = nonsense',
    ].join('\n'));

    expect(await linuxSessions(guest.root).list()).toEqual([{ user: 'adam', loginTime: 1_600_000_000 }, { user: 'zoe', loginTime: 1_700_000_000.25 }]);
  });

  it('are found although a FIFO lies beside them that nobody writes to', async () => {
    using guest = layOut(session('3', zoe));
    execFileSync('mkfifo', [`${guest.root}/run/systemd/sessions/3.ref`]);

    expect((await linuxSessions(guest.root).list()).map((each) => each.user)).toEqual(['zoe']);
  });

  it('come from utmp where it has any', async () => {
    using guest = layOut(`${session('3', zoe)}\n/run/utmp =`);
    const layout = utmpLayout(process.arch);
    writeFileSync(`${guest.root}/run/utmp`, utmp(layout, { user: 'ann', seconds: 5 }));

    expect(await linuxSessions(guest.root).list()).toEqual([{ user: 'ann', loginTime: 5 }]);
  });

  it('are none where the system keeps no record', async () => {
    using guest = layOut('/run/');

    expect(await linuxSessions(guest.root).list()).toEqual([]);
  });
});

describe('passwords', () => {
  interface Call { readonly program: string; readonly args: readonly string[]; readonly action: string; readonly input: string }
  const recorder = (installed = true): { readonly calls: Call[]; readonly passwords: ReturnType<typeof linuxPasswords> } => {
    const calls: Call[] = [];
    const passwords = linuxPasswords({
      isExecutable: async (path) => installed && path === '/usr/sbin/chpasswd',
      run: async (program, args, action, input) => void calls.push({ program, args, action, input: Buffer.from(input).toString() }),
    });
    return { calls, passwords };
  };

  it('are set by chpasswd, by its full path', async () => {
    const { calls, passwords } = recorder();

    await passwords.set('zoe', Buffer.from('pä:ss wörd'), false);

    expect(calls).toEqual([{ program: '/usr/sbin/chpasswd', args: [], action: 'set user password', input: 'zoe:pä:ss wörd\n' }]);
  });

  it('may be hashed already, and chpasswd may lie elsewhere in PATH', async () => {
    const { calls, passwords } = recorder(false);

    await passwords.set('zoe', Buffer.from('$6$x$y'), true);

    expect(calls).toEqual([{ program: 'chpasswd', args: ['-e'], action: 'set user password', input: 'zoe:$6$x$y\n' }]);
  });

  it.each([
    ['zoe', 'a\nb', 'forbidden characters in raw password'], ['zoe', 'a\0b', 'forbidden characters in raw password'],
    ['z\noe', 'x', 'forbidden characters in username'], ['z:oe', 'x', 'forbidden characters in username'], ['z\0oe', 'x', 'forbidden characters in username'],
    ['z:oe', 'a\nb', 'forbidden characters in raw password'],
  ])('that could forge a line of its input are refused: %j %j', async (user, password, reason) => {
    const { calls, passwords } = recorder();

    await expect(passwords.set(user, Buffer.from(password), false)).rejects.toThrow(reason);
    expect(calls).toEqual([]);
  });
});

describe('SSH keys', () => {
  const zoe = { uid: 1000, gid: 1000, home: Buffer.from('/home/zoe') };
  const addon = (replaced: Partial<AccountsAddon> = {}): AccountsAddon => ({
    lookupUser: async (name) => (name === 'zoe' ? zoe : undefined),
    readInHome: async () => undefined,
    replaceInHome: async () => {},
    ...replaced,
  });

  it('lie below the home that the system names', async () => {
    expect(await linuxSshKeys(addon()).locate('zoe')).toBe('/home/zoe/.ssh/authorized_keys');
  });

  it.each(['nobody-here', 'zoe\0'])('of an unknown user are refused: %j', async (name) => {
    await expect(linuxSshKeys(addon()).locate(name)).rejects.toThrow(`failed to lookup user '${name}': user not found`);
  });

  it('whose user cannot be looked up say why', async () => {
    const broken = addon({ lookupUser: async () => { throw posixError('EIO'); } });

    await expect(linuxSshKeys(broken).read('zoe')).rejects.toThrow("failed to lookup user 'zoe': Input/output error");
  });

  it('are text, or nothing where there is no file', async () => {
    expect(await linuxSshKeys(addon({ readInHome: async () => Buffer.from('ssh-ed25519 A\n') })).read('zoe')).toBe('ssh-ed25519 A\n');
    expect(await linuxSshKeys(addon()).read('zoe')).toBeUndefined();
  });

  it('that cannot be read are an os error', async () => {
    const denied = addon({ readInHome: async () => { throw posixError('EACCES', { syscall: 'open' }); } });

    const failure: unknown = await linuxSshKeys(denied).read('zoe').catch((error: unknown) => error);

    expect(AgentError.is(failure) && failure.os?.code).toBe('EACCES');
  });

  it.each([
    ['mkdir', 'EACCES', "failed to create directory '/home/zoe/.ssh': Permission denied"],
    ['chmod', 'EPERM', "failed to set permissions of directory '/home/zoe/.ssh': Operation not permitted"],
    ['fchmod', 'EPERM', "failed to set permissions of '/home/zoe/.ssh/authorized_keys': Operation not permitted"],
    ['write', 'ENOSPC', "failed to write to '/home/zoe/.ssh/authorized_keys': No space left on device"],
    ['opendir', 'EACCES', "failed to write to '/home/zoe/.ssh/authorized_keys': Permission denied"],
    ['opendir', 'ELOOP', "failed to write to '/home/zoe/.ssh/authorized_keys': '/home/zoe/.ssh' is a symbolic link, which is not followed: Too many levels of symbolic links"],
  ] as const)('that cannot be written say at which step: %s %s', async (syscall, code, message) => {
    const failing = addon({ replaceInHome: async () => { throw posixError(code, { syscall }); } });

    await expect(linuxSshKeys(failing).write('zoe', '')).rejects.toMatchObject({ kind: 'failed', message });
  });
});

describe('text that loses nothing', () => {
  it.each([
    ['plain', [0x61, 0x0a, 0]], ['UTF-8', [0xc3, 0xb1, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80]], ['latin-1', [0x4a, 0xf6, 0x72, 0x67]], ['a cut sequence', [0xe2, 0x82]],
    ['a surrogate in UTF-8', [0xed, 0xb2, 0x80]], ['an overlong form', [0xc0, 0x80]], ['above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]], ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61]],
  ])('gives %s back as it was', (_name, bytes) => {
    expect([...losslessBytes(losslessText(Buffer.from(bytes)))]).toEqual(bytes);
  });

  it('gives every pair of bytes back', () => {
    const pairs = Buffer.from(Array.from({ length: 65_536 }, (_, pair) => [pair >> 8, pair & 0xff, 0x20]).flat());

    expect(losslessBytes(losslessText(pairs)).equals(pairs)).toBe(true);
  });

  it('is that of UTF-8 where there is nothing to lose', () => {
    expect(losslessText(Buffer.from('Jörg €😀'))).toBe('Jörg €😀');
  });
});

it('keys that could not be read again are not written', async () => {
  const written: Buffer[] = [];
  const keys = linuxSshKeys({
    lookupUser: async () => ({ uid: 1, gid: 1, home: Buffer.from('/home/ann') }),
    readInHome: async () => undefined,
    replaceInHome: async (_user, _directory, _file, bytes) => { written.push(bytes); },
  });

  await expect(keys.write('ann', 'x'.repeat(4 * 1024 * 1024 + 1))).rejects.toThrow("failed to write to '/home/ann/.ssh/authorized_keys': File too large");
  expect(written).toEqual([]);
});

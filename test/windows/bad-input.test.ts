// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dll, prototype } from '../../adapters/windows/dll.ts';
import { textOf } from '../../adapters/windows/layout.ts';
import { type RunningAgent, startAgent } from './agent-program.ts';
import { built } from './doubles.ts';
import { after, afterEach, before, beforeEach, describe, it } from './runner.ts';

const { GetShortPathNameW } = dll('kernel32.dll', {
  GetShortPathNameW: prototype<(long: string, short: Buffer, length: number) => number>('uint32_t __stdcall GetShortPathNameW(str16 longName, _Out_ void *shortName, uint32_t length)'),
});

let agent: RunningAgent;
let folder = '';

before(async () => {
  agent = await startAgent();
});
after(() => agent.stop());

const text = Buffer.from('from the host').toString('base64');

/** Opens, writes and closes. */
async function write(path: string): Promise<void> {
  const handle = await agent.answerOf<number>('guest-file-open', { path, mode: 'w' });
  await agent.answerOf('guest-file-write', { handle, 'buf-b64': text });
  await agent.answerOf('guest-file-close', { handle });
}

async function read(path: string): Promise<string> {
  const handle = await agent.answerOf<number>('guest-file-open', { path });
  const { 'buf-b64': bytes } = await agent.answerOf<{ 'buf-b64': string }>('guest-file-read', { handle });
  await agent.answerOf('guest-file-close', { handle });
  return Buffer.from(bytes, 'base64').toString();
}

describe('paths that a host should not send', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'concierge bad '));
  });

  afterEach(() => {
    assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith('.new')), []);
  });

  const waits = /it is a device that waits for its other side$/;
  for (const name of ['CON', 'con', 'CONIN$', 'CONOUT$', 'AUX', 'PRN', 'COM1', 'com9', 'COM¹', 'LPT1', 'CON.txt', 'con .x', 'COM1:stream', 'aux.tar.gz']) {
    it(`${name} in a folder is a device, and is not opened`, async () => {
      for (const mode of ['r', 'w', 'a+']) assert.match(await agent.refusalOf('guest-file-open', { path: join(folder, name), mode }), waits);

      assert.deepEqual(readdirSync(folder), []);
    });
  }

  for (const path of [String.raw`\\.\COM1`, String.raw`\\.\CON`, 'CON', 'COM1', 'C:CON', '//./COM3', String.raw`\\.\CONIN$`]) {
    it(`${path} is a device, and is not opened`, async () => {
      assert.match(await agent.refusalOf('guest-file-open', { path }), waits);
    });
  }

  for (const path of ['NUL', 'nul', String.raw`\\.\NUL`, String.raw`C:\NUL`, 'NUL:']) {
    it(`${path} is the null device: empty, and takes everything`, async () => {
      await write(path);

      assert.equal(await read(path), '');
    });
  }

  it('a position in the null device is no more than a refusal', async () => {
    const handle = await agent.answerOf<number>('guest-file-open', { path: 'NUL', mode: 'r+' });

    const refusal = await agent.refusalOf('guest-file-seek', { handle, offset: 0, whence: 'set' });
    await agent.answerOf('guest-file-flush', { handle });
    await agent.answerOf('guest-file-close', { handle });

    assert.match(refusal, /^failed to seek file: ./);
  });

  for (const [what, name] of [['a dot', 'report.'], ['blanks', 'report  '], ['dots and blanks', 'report. . ']] as const) {
    it(`${what} at the end of a name are refused, and the file without them is not touched`, async () => {
      writeFileSync(join(folder, 'report'), 'mine');

      const message = await agent.refusalOf('guest-file-open', { path: `${folder}\\${name}`, mode: 'w' });

      assert.match(message, /Windows would leave out the dots and blanks at the end of its name$/);
      assert.equal(readFileSync(join(folder, 'report'), 'utf8'), 'mine');
      assert.deepEqual(readdirSync(folder), ['report']);
    });
  }

  for (const path of [String.raw`\\no-such-server\share\file`, '//no-such-server/share/file', String.raw`\\?\UNC\no-such-server\share\file`, String.raw`\\no-such-server`, '\\\\']) {
    it(`${path} on a server that is not there is an error of the system's`, async () => {
      assert.match(await agent.refusalOf('guest-file-open', { path, mode: 'w' }), /^failed to open file '.*' \(mode: 'w'\): ./);
    });
  }

  for (const [what, path] of [
    ['a name of 256 characters', `C:\\${'x'.repeat(256)}`],
    ['a path longer than any', `C:\\${'long\\'.repeat(7000)}x`],
    ['a name of 200 characters beyond the first plane', `C:\\${'😀'.repeat(200)}`],
  ] as const) {
    it(`${what} is too long, and says so`, async () => {
      const message = await agent.refusalOf('guest-file-open', { path, mode: 'w' });

      assert.ok(message.startsWith(`failed to open file '${path}' (mode: 'w'): `), message.slice(-200));
      assert.match(message, /too long|206/i);
    });
  }

  for (const [what, name] of [['beyond the first plane', '😀-𝔘𝔫𝔦.txt'], ['of 255 characters', 'x'.repeat(251) + '.txt'], ['with what shells like', "a'b&c^d%TEMP%!e;f,g=h.txt"]] as const) {
    it(`a name ${what} is a name like any other`, async () => {
      await write(join(folder, name));

      assert.deepEqual(readdirSync(folder), [name]);
      assert.equal(await read(join(folder, name)), 'from the host');
    });
  }

  it('a path longer than MAX_PATH works, with dots in it too, and leads nowhere else', async () => {
    const deep = join(folder, ...Array.from({ length: 12 }, () => 'folder-of-thirty-characters-xx'));
    mkdirSync(`\\\\?\\${deep}`, { recursive: true });

    await write(`${deep}\\other\\..\\.\\file`);

    assert.equal(readFileSync(`\\\\?\\${deep}\\file`, 'utf8'), 'from the host');
    assert.equal(await read(`${deep.replaceAll('\\', '/')}/file`), 'from the host');
    assert.match(await agent.refusalOf('guest-file-open', { path: `${deep}\\NUL`, mode: 'w' }), /^failed to open file '.*' \(mode: 'w'\): ./);
    assert.match(await agent.refusalOf('guest-file-open', { path: `${deep}\\COM7`, mode: 'w' }), waits);
    assert.deepEqual(readdirSync(`\\\\?\\${deep}`), ['file']);
  });

  it('a short name of 8.3 is the same file as the long one', async () => {
    const long = join(folder, 'A long name with blanks.text');
    writeFileSync(long, 'long');
    const short = Buffer.alloc(1024);
    GetShortPathNameW(long, short, short.length / 2);
    const shortPath = textOf(short);

    assert.match(shortPath.slice(shortPath.lastIndexOf('\\') + 1), /^[^ ]{1,8}(?:\.[^ ]{1,3})?$/);
    assert.equal(await read(shortPath), 'long');
    await write(shortPath);
    assert.equal(readFileSync(long, 'utf8'), 'from the host');
    assert.deepEqual(readdirSync(folder), ['A long name with blanks.text']);
  });

  it('a stream is opened as what it is, or refused by the file system: never the file itself', async () => {
    writeFileSync(join(folder, 'file'), 'mine');

    const answer = await agent.ask({ execute: 'guest-file-open', arguments: { path: join(folder, 'file:stream'), mode: 'w' } });
    if ('return' in answer) {
      await agent.answerOf('guest-file-write', { handle: answer['return'], 'buf-b64': text });
      await agent.answerOf('guest-file-close', { handle: answer['return'] });
    } else assert.match((answer['error'] as { desc: string }).desc, /^failed to open file '.*file:stream' \(mode: 'w'\): ./);

    assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'mine');
  });

  for (const name of ['a<b', 'a>b', 'a"b', 'a|b', 'a?b', 'a*b', 'a\u0001b']) {
    it(`${JSON.stringify(name)} is no name, and nothing is made`, async () => {
      assert.match(await agent.refusalOf('guest-file-open', { path: join(folder, name), mode: 'w' }), /^failed to open file '.*' \(mode: 'w'\): ./);
      assert.deepEqual(readdirSync(folder), []);
    });
  }

  it('a zero byte ends no path', async () => {
    const message = await agent.refusalOf('guest-file-open', { path: `${folder}\\file\0.txt`, mode: 'w' });

    assert.match(message, /the path has a zero byte$/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('half a character never comes as far as the system', async () => {
    const refusal = await agent.ask({ execute: 'guest-sync', arguments: { id: 1 } });
    assert.deepEqual(refusal, { return: 1 });

    for (const [execute, args] of [
      ['guest-file-open', { path: 'C:\\half\ud83d', mode: 'w' }],
      ['guest-exec', { path: built('programs.exe'), arg: ['arguments', '\ude00'] }],
      ['guest-set-user-password', { username: 'x\ud83d', password: '', crypted: false }],
      ['guest-ssh-add-authorized-keys', { username: 'x', keys: ['k\ud83d'] }],
      ['guest-fsfreeze-freeze-list', { mountpoints: ['C:\\\ud83d'] }],
    ] as const) {
      assert.match(await agent.refusalOf(execute, args), /is not a valid Unicode character/, execute);
    }
    assert.deepEqual(readdirSync('C:\\').filter((name) => name.startsWith('half')), []);
  });

  it('a folder can be opened to read, and only reading it fails; writing to it is refused at once', async () => {
    const handle = await agent.answerOf<number>('guest-file-open', { path: folder });

    assert.match(await agent.refusalOf('guest-file-read', { handle }), /^failed to read file: /);
    await agent.answerOf('guest-file-close', { handle });
    assert.match(await agent.refusalOf('guest-file-open', { path: folder, mode: 'w' }), /^failed to open file '.*' \(mode: 'w'\): ./);
  });
});

describe('programs that a host should not start', () => {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'concierge bad '));
  });

  for (const name of ['x.bat', 'x.CMD', 'x.bat.', 'x.cmd  ', 'x.bat . .']) {
    it(`${JSON.stringify(name)} is a batch file, and is not started`, async () => {
      writeFileSync(join(folder, 'x.bat'), `@echo started > "${folder}\\started"\r\n`);

      const message = await agent.refusalOf('guest-exec', { path: `${folder}\\${name}`, arg: ['"&calc'] });

      assert.match(message, /a batch file has to be run by cmd\.exe, with \/c/);
      assert.equal(existsSync(join(folder, 'started')), false);
    });
  }

  for (const [what, args, expected] of [
    ['a program that is not there', { path: 'C:\\no\\such.exe' }, /No such file or directory/],
    ['a folder', { path: 'C:\\windows' }, /Permission denied/],
    ['a file that is no program', { path: 'C:\\windows\\win.ini' }, /./],
    ['a stream of a program', { path: `${built('programs.exe')}:stream` }, /No such file or directory|Exec format error/],
    ['a device', { path: 'NUL' }, /./],
    ['a command line longer than any', { path: built('programs.exe'), arg: ['x'.repeat(40_000)] }, /Argument list too long/],
    ['a zero byte in an argument', { path: built('programs.exe'), arg: ['a\0b'] }, /^Parameter 'arg\[0\]' contains a zero byte$/],
    ['a zero byte in the environment', { path: built('programs.exe'), env: ['A=\0'] }, /^Parameter 'env\[0\]' contains a zero byte$/],
    ['both outputs in one', { path: built('programs.exe'), 'capture-output': 'merged' }, /merged/],
  ] as const) {
    it(`${what} is refused with its reason`, async () => {
      assert.match(await agent.refusalOf('guest-exec', args), expected);
    });
  }

  it('arguments reach the program as they are: quotes, backslashes, blanks, nothing, other alphabets', async () => {
    const words = [
      '', ' ', '"', '\\', '\\\\', '\\"', 'a b', 'a\tb', 'C:\\dir with blank\\', '\\\\server\\share\\', 'say "hi"', 'back\\\\"slash', '%PATH%', '^&|<>()!', "'single'",
      '*.exe', '?', '/c', '--', 'ünïcödé', '日本語', '😀', '\u00a0', '-n\\', '""', '"a" "b"', 'a\\\\b', 'ends with blank ',
    ];
    const { pid } = await agent.answerOf<{ pid: number }>('guest-exec', { path: built('programs.exe'), arg: ['arguments', ...words], 'capture-output': true });

    let status: { exited: boolean; 'out-data'?: string } = { exited: false };
    while (!status.exited) status = await agent.answerOf('guest-exec-status', { pid });

    assert.equal(Buffer.from(status['out-data'] ?? '', 'base64').toString(), words.map((word) => `${word}\n`).join(''));
  });
});

describe('people whom a host should not name', () => {
  for (const [username, expected] of [
    ['CORP\\bob', /^failed to set password: 'CORP\\bob' is a user of 'CORP'/],
    ['bob@corp.example', /^failed to set password: 'bob@corp\.example' is a user of 'corp\.example'/],
    ['x\0y', /^forbidden characters in username$/],
  ] as const) {
    it(`no password is set for ${JSON.stringify(username)}`, async () => {
      const message = await agent.refusalOf('guest-set-user-password', { username, password: Buffer.from('secret').toString('base64'), crypted: false });

      assert.match(message, expected);
      assert.doesNotMatch(message, /secret/);
    });
  }

  for (const username of ['CORP\\bob', 'nobody-of-that-name', '', 'x'.repeat(300), 'a/b', '..', 'C:\\Users\\x', 'Administrators']) {
    it(`${JSON.stringify(username.slice(0, 30))} has no keys, and gets none`, async () => {
      assert.match(await agent.refusalOf('guest-ssh-get-authorized-keys', { username }), /^failed to lookup user '/);
      assert.match(await agent.refusalOf('guest-ssh-add-authorized-keys', { username, keys: ['ssh-rsa AAAA x'] }), /^failed to lookup user '/);
    });
  }

  it('a zero byte in a name of somebody with keys is refused', async () => {
    assert.match(await agent.refusalOf('guest-ssh-get-authorized-keys', { username: 'root\0x' }), /the name has a zero byte$/);
  });
});

describe('what a host should not freeze', () => {
  for (const path of ['C:\\no\\such\\folder\\', 'Q:\\', '\\\\server\\share\\', '\\\\.\\PhysicalDrive0', 'NUL', '']) {
    it(`${JSON.stringify(path)} is no volume: nothing is frozen`, async () => {
      assert.match(await agent.refusalOf('guest-fsfreeze-freeze-list', { mountpoints: [path] }), /^failed to freeze .*: no file system is mounted there$/);
      assert.equal(await agent.answerOf('guest-fsfreeze-status'), 'thawed');
    });
  }
});

// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { settingsDocumentation } from '../../../adapters/config/documentation.ts';
import { dumpConfiguration } from '../../../adapters/config/dump.ts';
import { helpText } from '../../../adapters/config/help.ts';
import { version } from '../../../adapters/config/product.ts';
import { settingRows } from '../../../adapters/config/settings-table.ts';
import { readSettings, type Request, type Settings } from '../../../adapters/config/settings.ts';
import { configurationPage, pagePath } from '../../../scripts/docs-configuration.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

interface Given {
  readonly files?: Readonly<Record<string, string>>;
  readonly variable?: string;
}

const request = (words: readonly string[], { files = {}, variable }: Given = {}): Request =>
  readSettings({
    words,
    configurationVariable: variable,
    platform: 'posix',
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw posixError('ENOENT', { path });
      return Buffer.from(text);
    },
  });

const settings = (words: readonly string[], given?: Given): Settings => {
  const asked = request(words, given);
  if (asked.kind !== 'run' && asked.kind !== 'dump') throw new Error(`not settings but ${JSON.stringify(asked)}`);
  return asked.settings;
};

const ours = '/etc/concierge-ga/concierge-ga.conf';
const theirs = '/etc/qemu/qemu-ga.conf';

describe('the configuration file', () => {
  it('is our own where there is one, else that of qemu-ga', () => {
    const files = { [ours]: '[general]\npath=/ours\n', [theirs]: '[general]\npath=/theirs\n' };

    expect(settings([], { files }).path).toBe('/ours');
    expect(settings([], { files: { [theirs]: files[theirs] } }).path).toBe('/theirs');
  });

  it('is the one of QGA_CONF where that is set, and none where that one is missing', () => {
    const files = { '/v': '[general]\npath=/variable\n', [ours]: '[general]\npath=/ours\n' };

    expect(settings([], { files, variable: '/v' }).path).toBe('/variable');
    expect(settings([], { files, variable: '/missing' }).path).toBe('/dev/virtio-ports/org.qemu.guest_agent.0');
  });

  it('is the last one of --config above all, and that one has to exist', () => {
    expect(settings(['-c', '/missing', '-c', '/c'], { files: { '/c': '[general]\npath=/c\n' }, variable: '/v' }).path).toBe('/c');
    expect(request(['-V', '-c', '/missing'])).toMatchObject({
      kind: 'refused',
      reason: 'error loading configuration from path: /missing, No such file or directory',
    });
  });

  it('has a group of our own, with numbers that are checked', () => {
    expect(settings([], { files: { [ours]: '[concierge]\nfreeze-timeout=30\nfsfreeze-exclude=/a,/b\n' } })).toMatchObject({
      freezeTimeout: 30,
      fsfreezeExclude: ['/b', '/a'],
    });
    expect(request([], { files: { [ours]: '[concierge]\nfreeze-timeout=soon\n' } })).toMatchObject({
      kind: 'refused',
      reason: `error loading configuration from path: ${ours}, key “freeze-timeout”: 'soon' is not a number of seconds`,
    });
  });

  it('is warned about where a key is nobody’s: a typing mistake in a time limit is a danger', () => {
    expect(request([], { files: { [ours]: '[general]\ndaemonize=true\n[concierge]\nfreeze-timeuot=5\n[other]\nx=1\n' } })).toMatchObject({
      kind: 'run',
      warnings: [
        `${ours}: there is no group [other]; it and its keys are ignored (there are [general], [concierge] and [channel NAME])`,
        `${ours}: there is no setting general/daemonize; it is ignored (did you mean general/daemon?)`,
        `${ours}: there is no setting concierge/freeze-timeuot; it is ignored (did you mean concierge/freeze-timeout?)`,
      ],
    });
  });

  it.each([
    ['in the wrong group', '[general]\nfreeze-timeout=5\n', 'general/freeze-timeout; it is ignored (did you mean concierge/freeze-timeout?)'],
    ['like none of ours', '[concierge]\nfrobnicate=5\n', 'concierge/frobnicate; it is ignored'],
  ])('is warned about where a key is %s', (_, text, rest) => {
    expect(request([], { files: { [ours]: text } })).toMatchObject({ warnings: [`${ours}: there is no setting ${rest}`] });
  });

  it('may spell the block list as qemu-ga did before 9.1', () => {
    expect(settings([], { files: { [ours]: '[general]\nblacklist=a\nblock-rpcs=b\n' } }).blockRpcs).toEqual(['a', 'b']);
  });

  it.each(['debug=true', 'debug=true\nverbose=false', 'verbose=true\ndebug=false'])('reads the spelling of a release to come, %j', (text) => {
    expect(settings([], { files: { [ours]: `[general]\n${text}\n` } }).verbose).toBe(true);
    expect(settings(['--debug']).verbose).toBe(true);
    expect(settings(['--deb'], { files: { [ours]: '[general]\ndebug=false\n' } }).verbose).toBe(true);
    expect(settings([], { files: { [ours]: '[general]\ndebug=false\n' } }).verbose).toBe(false);
  });
});

describe('the command line', () => {
  it('wins over the file, but lists add up', () => {
    const files = { [ours]: '[general]\nmethod=isa-serial\npath=/x\nblock-rpcs=a,b\n[concierge]\nfreeze-timeout=5\n' };

    expect(settings(['-m', 'unix-listen', '-b', 'c', '--blacklist=d', '--freeze-timeout', '0'], { files })).toMatchObject({
      method: 'unix-listen',
      path: '/x',
      blockRpcs: ['b', 'a', 'c', 'd'],
      freezeTimeout: 0,
    });
  });

  it('refuses values that an option of ours cannot take', () => {
    expect(request(['--freeze-within=-1'])).toMatchObject({ kind: 'refused', reason: "option --freeze-within: '-1' is not a number of seconds" });
    expect(request(['--freeze-list-unknown=perhaps'])).toMatchObject({
      kind: 'refused',
      reason: "option --freeze-list-unknown: 'perhaps' is not one of error, ignore",
    });
  });

  it('lists the commands for either list, by both words, at once', () => {
    for (const words of [['-b', 'help'], ['--allow-rpcs=?'], ['-b', 'help', '--bogus']]) expect(request(words).kind).toBe('list-commands');
    expect(settings(['-b', 'help,x']).blockRpcs).toEqual(['x', 'help']);
  });

  it('hands on the words that are no options', () => {
    expect(request(['-F', '/hook', '--', '-x'])).toMatchObject({ kind: 'run', words: ['/hook', '-x'] });
  });

  it('takes numbers where a list is of numbers', () => {
    expect(settings(['--vsock-allow=2,1']).vsockAllow).toEqual(['1', '2']);
    expect(request(['--vsock-allow=host'])).toMatchObject({ kind: 'refused', reason: "option --vsock-allow: 'host' is not one of CIDS" });
  });

  it('gives way to a socket of the service manager', () => {
    const asked = readSettings({
      words: ['-m', 'isa-serial', '-p', '/x'],
      configurationVariable: undefined,
      platform: 'posix',
      readFile: () => Buffer.from(''),
      handedOver: { fd: 3, method: 'unix-listen' },
    });

    expect(asked).toMatchObject({ settings: { method: 'unix-listen', path: undefined, handedOver: 3 } });
    expect('settings' in asked && dumpConfiguration(asked.settings, 'posix')).not.toContain('path=/x');
  });
});

describe('the dumped configuration', () => {
  it('leaves out our own group while everything in it is as by default', () => {
    expect(dumpConfiguration(settings([]), 'posix')).not.toContain('[concierge]');
  });

  it('comes back with the same values, whatever is in them', () => {
    const words = ['-m', 'unix-listen', '-p', ' a\\b\tc', '-l', '/l', '-F/h', '-t', '\tx', '-v', '-d', '-r', '-b', 'x', '--freeze-timeout=1', '--hook-directory='];
    const first = settings(words);

    const again = settings(['-c', '/dump'], { files: { '/dump': dumpConfiguration(first, 'posix') } });

    expect(again).toEqual(first);
  });
});

describe('what people read', () => {
  it('has every option in the help, within 80 columns', () => {
    const help = helpText('concierge-ga', 'posix', [{ name: 'thaw', summary: 'x', usage: [] }]);

    for (const [, row] of settingRows) expect(help).toContain(`--${row.option.long}`);
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('has every setting in docs/configuration.md as the table says it (else: node scripts/docs-configuration.ts)', () => {
    const page = readFileSync(pagePath, 'utf8');

    expect(page).toContain(settingsDocumentation());
    expect(page).toBe(configurationPage(page));
  });

  it('has the release of package.json', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };

    expect(version).toBe(manifest.version);
  });
});

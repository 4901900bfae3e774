// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { MAX_CHANNELS } from '../../../adapters/config/channel-groups.ts';
import { dumpConfiguration } from '../../../adapters/config/dump.ts';
import { readSettings, type Request, type Settings } from '../../../adapters/config/settings.ts';

const file = '/etc/concierge-ga/concierge-ga.conf';

const request = (text: string, words: readonly string[] = [], platform: 'posix' | 'windows' = 'posix'): Request =>
  readSettings({ words: ['-c', file, ...words], configurationVariable: undefined, platform, readFile: () => Buffer.from(text) });

function settings(text: string, words?: readonly string[]): Settings {
  const asked = request(text, words);
  if (asked.kind !== 'run') throw new Error(JSON.stringify(asked));
  return asked.settings;
}

/** What is said of a file that is refused, behind its name. */
function complaint(text: string, words?: readonly string[], platform?: 'posix' | 'windows'): string {
  const asked = request(text, words, platform);
  return asked.kind === 'refused' ? asked.reason.replace(`error loading configuration from path: ${file}, `, '') : asked.kind;
}

describe('groups of channels', () => {
  it('are read in their order, with the profile of [concierge] where they say none', () => {
    const text = [
      '[general]', 'method=virtio-serial', '[channel tools]', 'method=vsock-listen', 'path=4294967295:1025', 'profile=full', 'vsock-allow=2,77', '[concierge]', 'profile=manage',
      '[channel local.1]', 'method=unix-listen', 'path=/run/a b', 'handles=shared', '[channel line]', 'method=isa-serial',
    ].join('\n');

    expect(settings(text).channels).toEqual([
      { name: 'tools', method: 'vsock-listen', path: '4294967295:1025', profile: 'full', handles: 'own', vsockAllow: ['2', '77'] },
      { name: 'local.1', method: 'unix-listen', path: '/run/a b', profile: 'manage', handles: 'shared', vsockAllow: [] },
      { name: 'line', method: 'isa-serial', path: '/dev/ttyS0', profile: 'manage', handles: 'own', vsockAllow: [] },
    ]);
    expect(settings(text, ['--profile=observe']).channels.map(({ profile }) => profile)).toEqual(['full', 'observe', 'observe']);
  });

  it('are none where the file has none', () => {
    expect(settings('[general]\n').channels).toEqual([]);
  });

  it('come out of --dump-conf as they are in force', () => {
    const given = settings('[channel a]\nmethod=vsock-listen\npath=3:1025\nvsock-allow=2,9\n[channel b]\nmethod=unix-listen\npath=\\s/run/b\nprofile=backup\nhandles=shared\n');
    const dumped = dumpConfiguration(given, 'posix');

    expect(settings(dumped).channels).toEqual(given.channels);
    expect(dumped).toContain('\n\n[channel b]\nmethod=unix-listen\npath=\\s/run/b\nprofile=backup\nhandles=shared\n');
  });

  it.each([
    ['a misspelt key', '[general]\n[channel a]\nmethod=unix-listen\npath=/s\n\nprofle=observe', 'line 6, [channel a]: there is no key profle (did you mean profile?)'],
    ['a key of another group', '[channel a]\nmethod=isa-serial\nverbose=1', 'line 3, [channel a]: there is no key verbose (there are method, path, profile, handles, vsock-allow)'],
    ['no method', '\n[channel a]\npath=/s', 'line 2, [channel a]: a channel needs a method'],
    ['a misspelt method', '[channel a]\nmethod=unix-lisen\npath=/s', 'line 1, [channel a]: no method is named \'unix-lisen\': there are unix-listen, virtio-serial, isa-serial, vsock-listen (did you mean unix-listen?)'],
    ['no path', '[channel a]\nmethod=vsock-listen', 'line 1, [channel a]: vsock-listen needs a path (CID:PORT)'],
    ['handles of whoever', '[channel a]\nmethod=isa-serial\nhandles=all', "line 3, [channel a]: handles are 'own' or 'shared', not 'all'"],
    ['no profile', '[channel a]\nmethod=isa-serial\nprofile=', 'line 3, [channel a]: a profile has a name'],
    ['no CID', '[channel a]\nmethod=vsock-listen\npath=3:1\nvsock-allow=host', "line 4, [channel a]: 'host' is no CID"],
    ['CIDs of another method', '[channel a]\nmethod=isa-serial\nvsock-allow=2', 'line 3, [channel a]: vsock-allow is for vsock-listen, and this channel is isa-serial'],
    ['no name', '[channel]\nmethod=isa-serial', 'line 1, [channel]: a channel is written [channel NAME], with a name of up to 32 letters, digits, dots, dashes and underscores that begins with a letter or digit'],
    ['a name that is none', '[channel a b]\nmethod=isa-serial', 'line 1, [channel a b]: a channel is written [channel NAME], with a name of up to 32 letters, digits, dots, dashes and underscores that begins with a letter or digit'],
    ['another word for it', '[Channels a]\nmethod=isa-serial', 'line 1, [Channels a]: a channel is written [channel NAME], with a name of up to 32 letters, digits, dots, dashes and underscores that begins with a letter or digit'],
    ['the name of a method', '[channel vsock-listen]\nmethod=isa-serial', 'line 1, [channel vsock-listen]: vsock-listen is a method, by which rules of a policy mean every channel of it: give the channel another name'],
    ['the channel of [general] again', '[channel a]\nmethod=virtio-serial', 'line 1, [channel a]: virtio-serial /dev/virtio-ports/org.qemu.guest_agent.0 is the channel of [general] already: give one of them another path'],
    ['another channel again', '[channel a]\nmethod=unix-listen\npath=/s\n[channel b]\npath=/s\nmethod=unix-listen', 'line 4, [channel b]: unix-listen /s is the channel of [channel a] already: give one of them another path'],
    ['another spelling of the same path', '[channel a]\nmethod=unix-listen\npath=/run/s\n[channel b]\nmethod=unix-listen\npath=/run/x/..//s', 'line 4, [channel b]: unix-listen /run/x/..//s is the channel of [channel a] already: give one of them another path'],
    ['another method for the same path', '[channel a]\nmethod=isa-serial\npath=/dev/virtio-ports/org.qemu.guest_agent.0', 'line 1, [channel a]: isa-serial /dev/virtio-ports/org.qemu.guest_agent.0 is the channel of [general] already: give one of them another path'],
    ['another spelling of the same port', '[channel a]\nmethod=vsock-listen\npath=3:1024\n[channel b]\nmethod=vsock-listen\npath=03:01024', 'line 4, [channel b]: vsock-listen 03:01024 is the channel of [channel a] already: give one of them another path'],
    ['no value', '[channel a]\nmethod=isa-serial\npath=\\x', 'Key file contains key “path” which has a value that cannot be interpreted.'],
  ])('are refused with line and what was meant: %s', (_what, text, said) => {
    expect(complaint(text)).toBe(said);
  });

  it('are refused where a method is not of this system', () => {
    expect(complaint('[channel a]\nmethod=unix-listen\npath=/s', [], 'windows')).toBe("line 1, [channel a]: no method is named 'unix-listen': there are virtio-serial, isa-serial, vsock-listen");
  });

  it('may have a method that a backend brings, and not be called like it', () => {
    expect(settings('[channel a]\nmethod=console\n', ['--backend=./mine']).channels).toMatchObject([{ name: 'a', method: 'console', path: undefined }]);
    expect(complaint('[channel console]\nmethod=console\n', ['--backend=./mine'])).toBe('line 1, [channel console]: console is a method: give the channel another name');
  });

  it(`are at most ${MAX_CHANNELS}`, () => {
    const groups = (count: number): string => Array.from({ length: count }, (_none, index) => `[channel c${index}]\nmethod=unix-listen\npath=/s${index}\n`).join('');

    expect(settings(groups(MAX_CHANNELS)).channels).toHaveLength(MAX_CHANNELS);
    expect(complaint(groups(MAX_CHANNELS + 1))).toBe(`line 25: there are more than ${MAX_CHANNELS} groups [channel NAME]`);
  });
});

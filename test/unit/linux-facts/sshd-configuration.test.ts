// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { keysElsewhere, type ConfigurationFiles } from '../../../adapters/linux/accounts/sshd-configuration.ts';

/** Files in memory, below a root; `reads` has every path that was asked for. */
function files(contents: Readonly<Record<string, string>>): ConfigurationFiles & { readonly reads: string[] } {
  const reads: string[] = [];
  return {
    reads,
    readStart: async (path, limit) => {
      reads.push(path);
      const text = contents[path.replace(/^\/root/, '')];
      if (text === undefined) throw new Error('ENOENT');
      return Buffer.from(text).subarray(0, limit);
    },
    namesIn: async (path) => {
      const directory = `${path.replace(/^\/root/, '')}/`;
      const names = Object.keys(contents).filter((one) => one.startsWith(directory)).map((one) => one.slice(directory.length));
      if (names.length === 0) throw new Error('ENOENT');
      return names.toReversed();
    },
  };
}

const reason = (contents: Readonly<Record<string, string>>): Promise<string | undefined> => keysElsewhere('/root', files(contents));
const main = '/etc/ssh/sshd_config';

describe('where sshd takes keys from', () => {
  it.each([
    ['nothing is said of it', '# AuthorizedKeysFile /elsewhere\nPort 22\n'],
    ['the default is spelled out', 'AuthorizedKeysFile\t.ssh/authorized_keys .ssh/authorized_keys2\n'],
    ['it is one of several', 'AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n'],
    ['it is relative to the home by a token', 'authorizedkeysfile = "%h/.ssh/authorized_keys"\n'],
    ['only a later value is another one', 'AuthorizedKeysFile .ssh/authorized_keys\nAuthorizedKeysFile /etc/ssh/keys/%u\n'],
    ['only a comment has another one', 'AuthorizedKeysFile .ssh/authorized_keys # /etc/ssh/keys/%u\n'],
  ])('is the usual file where %s', async (_how, text) => {
    expect(await reason({ [main]: text })).toBeUndefined();
  });

  it('is of no interest where there is no sshd', async () => {
    expect(await reason({})).toBeUndefined();
  });

  it.each([
    ['/etc/ssh/keys/%u', 'AuthorizedKeysFile /etc/ssh/keys/%u\nAuthorizedKeysFile .ssh/authorized_keys\n'],
    ['none', 'PORT=22\r\nAUTHORIZEDKEYSFILE=none\r\n'],
    ['/etc/ssh/all keys', 'AuthorizedKeysFile "/etc/ssh/all keys" # and no other\n'],
    ['/etc/ssh/keys/%u', 'Match all\nAuthorizedKeysFile /etc/ssh/keys/%u\n'],
  ])('is told where it is %s', async (value, text) => {
    expect(await reason({ [main]: text })).toBe(`sshd does not look there: ${main} has AuthorizedKeysFile ${value}`);
  });

  it('is told with the condition of a Match block, which overrides what is general', async () => {
    const text = 'AuthorizedKeysFile .ssh/authorized_keys\nMatch Group sftp\n  ChrootDirectory /srv\n  AuthorizedKeysFile /srv/keys/%u\n';

    expect(await reason({ [main]: text })).toBe(`sshd does not look there for all users: ${main} has AuthorizedKeysFile /srv/keys/%u in a Match block`);
  });

  it('comes from included files in their order, the first value first', async () => {
    const included = { '/etc/ssh/sshd_config.d/10-a.conf': 'AuthorizedKeysFile /a/%u\n', '/etc/ssh/sshd_config.d/20-b.conf': 'AuthorizedKeysFile .ssh/authorized_keys\n' };

    expect(await reason({ [main]: 'Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/authorized_keys\n', ...included }))
      .toBe('sshd does not look there: /etc/ssh/sshd_config.d/10-a.conf has AuthorizedKeysFile /a/%u');
    expect(await reason({ [main]: 'Include sshd_config.d/20-?.conf\n', ...included })).toBeUndefined();
    expect(await reason({ [main]: 'Match User x\nInclude "sshd_config.d/10-a.conf"\n', ...included }))
      .toBe('sshd does not look there for all users: /etc/ssh/sshd_config.d/10-a.conf has AuthorizedKeysFile /a/%u in a Match block');
    expect(await reason({ [main]: 'Include missing.d/*.conf also-missing\n' })).toBeUndefined();
  });

  it('is looked for in the distribution\u2019s file where the administrator has none', async () => {
    expect(await reason({ '/usr/etc/ssh/sshd_config': 'AuthorizedKeysFile none\n' })).toBe('sshd does not look there: /usr/etc/ssh/sshd_config has AuthorizedKeysFile none');
  });

  it('ends with files that include each other', async () => {
    const circle = files({ [main]: 'Include sshd_config sshd_config\n' });

    expect(await keysElsewhere('/root', circle)).toBeUndefined();
    expect(circle.reads).toHaveLength(64);
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { checkedKeys, keysIn, withKeys, withoutKeys } from '../../../core/commands/authorized-keys.ts';

describe('keys of a host', () => {
  it.each(['ssh-ed25519 AAAA one@x', 'command="x y",no-pty ssh-rsa AAAA', ' ssh-rsa AAA', '\tx', '!!', 'ssh-rsa'])('may be %j', (key) => {
    expect(checkedKeys([key])).toEqual([key]);
  });

  it.each(['# hi', '#', 'ssh-rsa A\nssh-rsa B', 'a\0b', 'a\rb', 'a\u001bb', 'a\u007fb', '\n'])('may not be %j', (key) => {
    expect(() => checkedKeys(['ssh-rsa A', key])).toThrow(`invalid OpenSSH public key: '${key}'`);
  });

  it('lose the end of a line from Windows, repetitions and empty ones', () => {
    expect(checkedKeys(['ssh-rsa A\r', 'ssh-rsa A', '', ' ', 'ssh-rsa B', 'ssh-rsa B'])).toEqual(['ssh-rsa A', 'ssh-rsa B']);
  });
});

describe('keys of a file', () => {
  it('come last first, trimmed, without comments and empty lines', () => {
    expect(keysIn('# mine\n\n a \n\t# not this\nb\r\n  \nc')).toEqual(['c', 'b', 'a']);
  });

  it('are found in no time among any number of blanks', () => {
    const blanks = ' '.repeat(1_000_000);

    expect(keysIn(`${blanks}a${blanks}b${blanks}\n`)).toEqual([`a${blanks}b`]);
  });

  it('keep a blank that is none for sshd', () => {
    expect(keysIn('a\u00a0\n')).toEqual(['a\u00a0']);
  });
});

describe('adding', () => {
  it.each([
    ['', ['a', 'b'], 'a\nb\n'],
    ['a', ['b'], 'a\nb\n'],
    ['a\n', ['b'], 'a\nb\n'],
    ['a\n\n', ['b'], 'a\n\nb\n'],
    ['# c\na\r\n', ['a', 'b'], '# c\na\r\nb\n'],
    ['a x\n', ['a'], 'a x\na\n'],
    ['', [], ''],
  ])('to %j of %j makes %j', (text, keys, expected) => {
    expect(withKeys(text, keys)).toBe(expected);
  });
});

describe('removing', () => {
  it.each([
    ['a\nb\n', ['a'], 'b\n'],
    ['a', ['a'], ''],
    ['# c\n\na\nb\na\n', ['a'], '# c\n\nb\n'],
    ['a\r\nb\n', ['a'], 'b\n'],
    ['a x\n', ['a'], undefined],
    ['\n\na\n', [], undefined],
  ])('from %j of %j leaves %j', (text, keys, expected) => {
    expect(withoutKeys(text, keys)).toBe(expected);
  });
});

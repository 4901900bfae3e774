// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { isOfChannels, keptOfChannel } from '../../../adapters/channels/kept-of-channel.ts';
import type { KeptDescriptors } from '../../../core/ports/index.ts';

const same = (text: string): string => text;

describe('what channels have kept', () => {
  const channels = new Map([['', 'unix-listen /run/main'], ['a', 'virtio-serial /dev/vport1p2'], ['b', 'unix-listen /run/b x'], ['c', 'isa-serial /dev/ttyS1'], ['d', 'console mine'], ['e', 'odd']]);
  const fits = (name: string, note: string): boolean => isOfChannels(name, note, channels, same);

  it.each([
    ['listener', 'unix-listen /run/main'], ['listener-file', ''], ['client-7', '12,0'],
    ['@a/port', '/dev/vport1p2'], ['@b/listener', 'unix-listen /run/b x'], ['@b/client-1', '4,5'], ['@c/line', '/dev/ttyS1'],
  ])('is theirs: %s %s', (name, note) => {
    expect(fits(name, note)).toBe(true);
  });

  it.each([
    ['listener', 'unix-listen /run/other'], ['port', '/dev/vport1p2'], ['line', '/dev/ttyS1'],
    ['@a/port', '/dev/vport1p3'], ['@a/listener', 'unix-listen /run/b x'], ['@a/listener-file', ''], ['@a/client-1', '1,2'],
    ['@b/listener', 'unix-listen /run/main'], ['@b/line', '/run/b x'], ['@c/port', '/dev/ttyS1'], ['@gone/port', '/dev/vport1p2'], ['@gone/client-3', ''],
  ])('is nobody\'s: %s %s', (name, note) => {
    expect(fits(name, note)).toBe(false);
  });

  it.each([['file-1004', 'a'], ['program-7-0', ''], ['program-owner-7', 'gone'], ['waste-3-1', ''], ['configuration', ''], ['@d/port', 'x'], ['@d/listener', 'y'], ['@e/line', 'z'], ['client-x', '']])(
    'is no matter of channels, or of one that has names of its own: %s',
    (name, note) => {
      expect(fits(name, note)).toBe(true);
    },
  );
});

describe('what one of several channels keeps', () => {
  it('has names of its own, which nobody else sees', async () => {
    const said: unknown[] = [];
    const say = (...words: unknown[]): undefined => void said.push(words);
    const kept = {
      take: (name: string, note: string) => say('take', name, note) ?? 5,
      takeAll: (prefix: string) => [{ name: `${prefix}3`, note: 'n', fd: 6 }],
      input: (name: string) => say('input', name) ?? Buffer.of(1),
      keep: (...words: unknown[]) => say('keep', ...words),
      drop: async (name: string) => say('drop', name),
      isEnding: true,
    } as unknown as KeptDescriptors;
    const its = keptOfChannel(kept, 'tools');

    expect(its.take('port', '/p')).toBe(5);
    expect(its.takeAll('client-')).toEqual([{ name: 'client-3', note: 'n', fd: 6 }]);
    expect(its.input('port')).toEqual(Buffer.of(1));
    its.keep('port', 'port', '/p', 7);
    await its.drop('port');
    expect(its.isEnding).toBe(true);
    expect(said).toEqual([['take', '@tools/port', '/p'], ['input', '@tools/port'], ['keep', '@tools/port', 'port', '/p', 7], ['drop', '@tools/port']]);
  });
});

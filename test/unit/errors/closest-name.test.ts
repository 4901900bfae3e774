// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { closestName } from '../../../core/errors/closest-name.ts';

const names = ['daemon', 'freeze-timeout', 'fsfreeze-hook', 'block-rpcs', 'allow-rpcs'];

describe('the name that was meant', () => {
  it.each([
    ['a letter less', 'freeze-timout', 'freeze-timeout'],
    ['a letter more', 'deaemon', 'daemon'],
    ['another letter', 'daemom', 'daemon'],
    ['two letters the wrong way round', 'fsfreeze-hoko', 'fsfreeze-hook'],
    ['other capitals', 'Daemon', 'daemon'],
    ['only the end of one', 'timeout', 'freeze-timeout'],
  ])('is found behind %s', (_, given, meant) => {
    expect(closestName(given, names)).toBe(meant);
  });

  it.each([
    ['nothing like them', 'frobnicate'],
    ['the end of several', 'rpcs'],
    ['nothing', ''],
  ])('is nobody’s for %s', (_, given) => {
    expect(closestName(given, names)).toBeUndefined();
  });

  it('is no short one of which no letter is right', () => {
    expect(closestName('-V', ['fs', 'os'])).toBeUndefined();
    expect(closestName('fx', ['fs', 'os'])).toBe('fs');
  });

  it('is the nearer of two', () => {
    expect(closestName('block-rpc', ['blocks-rpc', 'block-rpcs', 'block-rpcx'])).toBe('blocks-rpc');
    expect(closestName('hook-a', ['hook-abc', 'hook-ab'])).toBe('hook-ab');
  });
});

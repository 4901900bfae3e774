// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { told } from '../../../core/commands/command.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

const doubled = (value: number): number => value * 2;

describe('what a port tells', () => {
  it('is an answer at once where the port has not waited', () => {
    expect(told('failed to ask', () => 21, doubled)).toBe(42);
  });

  it('is an answer when the port has it', async () => {
    const answer = told('failed to ask', async () => 21, doubled);

    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toBe(42);
  });

  it.each<[string, () => number | Promise<number>, (value: number) => number]>([
    ['thrown by the port', () => { throw posixError('EIO'); }, doubled],
    ['that the port comes to', async () => { throw posixError('EIO'); }, doubled],
    ['in telling it', () => 1, () => { throw posixError('EIO'); }],
    ['in telling it later', async () => 1, () => { throw posixError('EIO'); }],
  ])('is an error with the words of the command: one %s', async (_where, ask, tell) => {
    await expect((async () => told('failed to ask', ask, tell))()).rejects.toThrow('failed to ask: Input/output error');
  });
});

// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

it('what was attempted stands in front of what the system said', () => {
  const error = withContext('failed to open /x', posixError('ENOENT'));

  expect([error.message, error.kind, osCode(error)]).toEqual(['failed to open /x: No such file or directory', 'os', 'ENOENT']);
});

it('a system that says nothing adds nothing', () => {
  expect(withContext('failed', AgentError.os({ code: 'OK', errno: 0, osText: 'Success' })).message).toBe('failed');
});

it('a whole sentence is passed on', () => {
  const sentence = AgentError.failed('it cannot be done');

  expect(withContext('failed', sentence)).toBe(sentence);
});

it.each([[new TypeError('x is undefined'), 'failed: x is undefined'], ['a text', 'failed: a text']])('anything else is wrapped', (thrown, message) => {
  expect(withContext('failed', thrown)).toMatchObject({ kind: 'failed', message, cause: thrown });
  expect(osCode(thrown)).toBeUndefined();
});

// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { AgentError, type AgentErrorKind } from '../../core/errors/agent-error.ts';
import { isPosixCode, posixNumber, posixText, type PosixCode } from '../../core/errors/posix-errno.ts';
import type { ContractSubject } from './subject.ts';

/** What a call throws or rejects with. A call may fail at once or by its promise: both are failures of a port. */
async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return assert.fail('the call succeeded');
}

async function agentErrorOf(call: () => unknown): Promise<AgentError> {
  const error = await failureOf(call);
  if (!AgentError.is(error)) return assert.fail(`it failed with something that is no AgentError: ${String(error)}`);
  return error;
}

/** The call fails as a system call does: with this code, its number and the system's own sentence. */
export async function failsWithCode(subject: ContractSubject, code: PosixCode | readonly PosixCode[], call: () => unknown): Promise<void> {
  const error = await agentErrorOf(call);
  const own = (one: PosixCode): string | readonly string[] => subject.knows.codes?.[one] ?? one;
  const wanted = (typeof code === 'string' ? [code] : code).flatMap(own);
  assert.equal(error.kind, 'os', `an os error is wanted, not '${error.message}'`);
  assert.ok(wanted.includes(error.os?.code ?? ''), `${wanted.join(' or ')} is wanted, not ${error.os?.code} (${error.message})`);
  const { os } = error;
  if (os === undefined || !isPosixCode(os.code)) return;
  assert.equal(os.errno, posixNumber(os.code), 'errno is the positive number of the code');
  assert.equal(os.osText, posixText(os.code), 'osText is the sentence of strerror(3) in the C locale');
}

/** The call fails with an error of the project, of this kind where given. */
export async function fails(call: () => unknown, kind?: AgentErrorKind): Promise<AgentError> {
  const error = await agentErrorOf(call);
  if (kind !== undefined) assert.equal(error.kind, kind, error.message);
  assert.notEqual(error.message, '', 'an error says something');
  return error;
}

/** Counters are unsigned and exact. */
export function isCounter(value: unknown, name: string): void {
  assert.equal(typeof value, 'bigint', `${name} is a bigint`);
  assert.ok(typeof value === 'bigint' && value >= 0n && value < 2n ** 64n, `${name} is unsigned and has 64 bits`);
}

export function isCount(value: unknown, name: string): void {
  assert.ok(typeof value === 'number' && Number.isInteger(value) && value >= 0, `${name} is a whole number`);
}

export function isText(value: unknown, name: string): void {
  assert.ok(typeof value === 'string' && value.length > 0, `${name} is a text that is not empty`);
}

export function areDifferent(values: readonly unknown[], what: string): void {
  assert.equal(new Set(values).size, values.length, `${what} are all different`);
}

/** An absent member is not there at all: `undefined` would reach the wire as a member. */
export function hasNoUndefined(value: object, what: string): void {
  for (const [key, member] of Object.entries(value)) assert.notEqual(member, undefined, `${what}: ${key} is left out, not undefined`);
}

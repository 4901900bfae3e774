// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';

import { posixCodeOf, posixCodes, posixError, posixErrorOf, posixNumber, posixText } from '../../../core/errors/posix-errno.ts';

describe('the table of Linux errors', () => {
  it('has the number and the sentence that a client sees', () => {
    const error = posixError('ENOENT', { syscall: 'open', path: '/missing' });

    expect(error.message).toBe('No such file or directory');
    expect(error.os).toEqual({ code: 'ENOENT', errno: 2, osText: 'No such file or directory', syscall: 'open', path: '/missing' });
  });

  it.skipIf(process.platform !== 'linux')('agrees with the numbers of this system (needs Linux)', () => {
    const known = Object.entries(constants.errno).filter(([code]) => posixCodes.some((one) => one === code));

    expect(known.length).toBeGreaterThan(70);
    expect(Object.fromEntries(posixCodes.map((code) => [code, posixNumber(code)]))).toMatchObject(Object.fromEntries(known));
  });

  it('finds a code by its number, negated or not', () => {
    expect(posixCodeOf(16)).toBe('EBUSY');
    expect(posixCodeOf(-28)).toBe('ENOSPC');
    expect(posixCodeOf(95)).toBe('EOPNOTSUPP');
  });

  it('takes the second names for the same errors', () => {
    expect(posixNumber('EWOULDBLOCK')).toBe(11);
    expect(posixText('ENOTSUP')).toBe('Operation not supported');
  });

  it('makes the same error of a number as of its code', () => {
    expect(posixErrorOf(-2, { path: '/missing' }).os).toEqual(posixError('ENOENT', { path: '/missing' }).os);
    expect(posixErrorOf(28).message).toBe('No space left on device');
  });

  it('says of an unknown number what the C library says', () => {
    expect(posixErrorOf(-4095).message).toBe('Unknown error 4095');
  });

  it('has one name for each number but for the second names', () => {
    const numbers = posixCodes.map(posixNumber);

    expect(numbers.length - new Set(numbers).size).toBe(3);
  });
});

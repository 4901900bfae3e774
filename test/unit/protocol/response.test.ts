// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { describeError, errorLine, returnLine, SENTINEL } from '../../../core/protocol/response.ts';

describe('returnLine', () => {
  it('puts the id behind the value', () => {
    expect(returnLine('{}', undefined)).toBe('{"return": {}}\n');
    expect(returnLine('[1]', '"a"')).toBe('{"return": [1], "id": "a"}\n');
  });

  it('a delimited line is the sentinel and the line when written as latin1', () => {
    expect(Buffer.from(returnLine('5', undefined, true), 'latin1')).toEqual(
      Buffer.concat([Buffer.from([SENTINEL]), Buffer.from('{"return": 5}\n')]),
    );
  });
});

describe('errorLine', () => {
  it('puts the id in front of the error', () => {
    const error = new AgentError('command-not-found', 'The command nope has not been found');

    expect(errorLine(error, '7')).toBe(
      '{"id": 7, "error": {"class": "CommandNotFound", "desc": "The command nope has not been found"}}\n',
    );
  });

  it('is one line of ASCII whatever the message says', () => {
    expect(errorLine(AgentError.failed('a\nb\u2019\ud800'), undefined)).toBe(
      '{"error": {"class": "GenericError", "desc": "a\\nb\\u2019\\uFFFD"}}\n',
    );
  });
});

describe('describeError', () => {
  it.each([
    [AgentError.os({ code: 'ENOENT', errno: 2, osText: 'No such file or directory' }), 'No such file or directory'],
    [new TypeError('x is not a function'), 'x is not a function'],
    [new Error(''), 'Error'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [Object.create(null), 'unknown error'],
  ])('makes a GenericError of whatever was thrown (%#)', (thrown, desc) => {
    expect(describeError(thrown)).toEqual({ class: 'GenericError', desc });
  });

  it('knows the error of another copy of the package by its brand', () => {
    const foreign = Object.assign(new Error('gone'), { kind: 'command-not-found', [Symbol.for('concierge-ga/AgentError')]: true });

    expect(describeError(foreign)).toEqual({ class: 'CommandNotFound', desc: 'gone' });
  });
});

it('an error repeats little more than a mebibyte of what a host has made up', () => {
  const line = errorLine(AgentError.failed('\x7f'.repeat(2_000_000)), undefined);

  expect(line).toHaveLength('{"error": {"class": "GenericError", "desc": "..."}}\n'.length + 6 * (1024 * 1024 + 1024));
  expect(line.endsWith('\\u007F..."}}\n')).toBe(true);
});

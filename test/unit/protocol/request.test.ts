// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { parseRequest } from '../../../core/protocol/request.ts';
import { bytesOf, decodeAll } from './decoding.ts';

function parse(text: string): ReturnType<typeof parseRequest> {
  const [decoded] = decodeAll(bytesOf(text));
  if (decoded?.kind !== 'value') throw new Error('no value');
  return parseRequest(decoded.value);
}

function refusal(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (AgentError.is(error)) return `${error.kind}: ${error.message}`;
  }
  return 'accepted';
}

describe('parseRequest', () => {
  it('takes execute, arguments and any id, in any order', () => {
    expect(parse('{"id":null,"arguments":{"a":1},"execute":"x"}')).toEqual({ execute: 'x', args: new Map([['a', 1n]]) });
  });

  it('gives no arguments as empty ones', () => {
    expect(parse('{"execute":"x"}').args.size).toBe(0);
  });

  it.each([
    ['[]', 'QMP input must be a JSON object'],
    ['"x"', 'QMP input must be a JSON object'],
    ['null ', 'QMP input must be a JSON object'],
    ['{}', "QMP input lacks member 'execute'"],
    ['{"id":1}', "QMP input lacks member 'execute'"],
    ['{"execute":null}', "QMP input member 'execute' must be a string"],
    ['{"execute":"x","arguments":null}', "QMP input member 'arguments' must be an object"],
    ['{"execute":"x","arguments":[]}', "QMP input member 'arguments' must be an object"],
    ['{"exec-oob":"x","id":1}', "QMP input member 'exec-oob' is unexpected"],
    ['{"execute":"x","__proto__":1}', "QMP input member '__proto__' is unexpected"],
    ['{"foo":1,"execute":1}', "QMP input member 'foo' is unexpected"],
    ['{"execute":1,"foo":1}', "QMP input member 'execute' must be a string"],
    ['{"arguments":3,"execute":1}', "QMP input member 'arguments' must be an object"],
    ['{"arguments":{},"foo":1,"execute":"x"}', "QMP input member 'foo' is unexpected"],
    ['{"arguments":{}}', "QMP input lacks member 'execute'"],
  ])('refuses %s with the first problem in the order sent', (text, message) => {
    expect(refusal(text)).toBe(`failed: ${message}`);
  });
});

// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import type { CommandName } from '../../../core/schema/index.ts';
import { base64, Base64Text, int, required, str } from '../../../core/schema/types.ts';
import { validateArguments } from '../../../core/schema/validate.ts';
import { JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { jsonText } from '../../../core/protocol/json-text.ts';
import { isJsonObject } from '../../../core/protocol/value.ts';
import { exchange, contextOf } from '../commands/support/exchange.ts';
import { bytesOf, decodeAll } from '../protocol/decoding.ts';

const context = contextOf({});
const ask = (name: CommandName, args: string) => exchange(context, name, args);

describe('arguments are checked in the order of the schema, the first problem wins', () => {
  it.each([
    ['guest-ping', '{"foo": 42}', "Parameter 'foo' is unexpected"],
    ['guest-sync', '{}', "Parameter 'id' is missing"],
    ['guest-sync', '{"id": 1, "x": 2}', "Parameter 'x' is unexpected"],
    ['guest-sync', '{"id": "x", "y": 2}', "Invalid parameter type for 'id', expected: integer"],
    ['guest-sync', '{"id": 9223372036854775808}', "Invalid parameter type for 'id', expected: integer"],
    ['guest-file-close', '{}', "Parameter 'handle' is missing"],
    ['guest-file-open', '{"path": 1}', "Invalid parameter type for 'path', expected: string"],
    ['guest-file-open', '{"path": null}', "Invalid parameter type for 'path', expected: string"],
    ['guest-file-open', '{"path": "/tmp/x", "mode": null}', "Invalid parameter type for 'mode', expected: string"],
    ['guest-file-read', '{"handle": "1"}', "Invalid parameter type for 'handle', expected: integer"],
    ['guest-file-read', '{"handle": 1, "count": 1.0}', "Invalid parameter type for 'count', expected: integer"],
    ['guest-file-write', '{"handle": 1}', "Parameter 'buf-b64' is missing"],
    ['guest-file-seek', '{"handle": 1, "offset": 0}', "Parameter 'whence' is missing"],
    ['guest-file-seek', '{"handle": 1, "offset": 0, "whence": true}', "Invalid parameter type for 'whence', expected: GuestFileWhence"],
    ['guest-file-seek', '{"handle": 1, "offset": 0, "whence": 1.0}', "Invalid parameter type for 'whence', expected: integer"],
    ['guest-file-seek', '{"handle": 1, "offset": 0, "whence": "SET"}', "Parameter 'whence' does not accept value 'SET'"],
    ['guest-exec', '{"path": "true", "arg": ["a", 1]}', "Invalid parameter type for 'arg[1]', expected: string"],
    ['guest-exec', '{"path": "true", "arg": null}', "Invalid parameter type for 'arg', expected: array"],
    ['guest-exec', '{"path": "true", "env": {}}', "Invalid parameter type for 'env', expected: array"],
    ['guest-exec', '{"path": "true", "capture-output": 1}', "Invalid parameter type for 'capture-output', expected: GuestExecCaptureOutput"],
    ['guest-exec', '{"path": "true", "capture-output": "both"}', "Parameter 'capture-output' does not accept value 'both'"],
    ['guest-exec', '{"path": "true", "cwd": "/"}', "Parameter 'cwd' is unexpected"],
    ['guest-set-vcpus', '{"vcpus": [1]}', "Invalid parameter type for 'vcpus[0]', expected: object"],
    ['guest-set-vcpus', '{"vcpus": [{}]}', "Parameter 'vcpus[0].logical-id' is missing"],
    ['guest-set-vcpus', '{"vcpus": [{"logical-id": 0}]}', "Parameter 'vcpus[0].online' is missing"],
    ['guest-set-vcpus', '{"vcpus": [{"logical-id": 0, "online": 1}]}', "Invalid parameter type for 'vcpus[0].online', expected: boolean"],
    ['guest-set-vcpus', '{"vcpus": [{"logical-id": 0, "online": true, "x": 1}]}', "Parameter 'vcpus[0].x' is unexpected"],
    ['guest-set-memory-blocks', '{"mem-blks": [{}]}', "Parameter 'mem-blks[0].phys-index' is missing"],
    ['guest-set-memory-blocks', '{"mem-blks": [{"phys-index": "x", "online": true}]}', "Parameter 'mem-blks[0].phys-index' expects uint64"],
    ['guest-fsfreeze-freeze-list', '{"mountpoints": 1}', "Invalid parameter type for 'mountpoints', expected: array"],
    ['guest-fstrim', '{"minimum": "x"}', "Invalid parameter type for 'minimum', expected: integer"],
    ['guest-set-user-password', '{"username": "x", "password": "eA=="}', "Parameter 'crypted' is missing"],
    ['guest-set-time', '{"time": null}', "Invalid parameter type for 'time', expected: integer"],
    ['guest-ssh-add-authorized-keys', '{"username": "x", "keys": [], "reset": 1}', "Invalid parameter type for 'reset', expected: boolean"],
  ] as const)('%s %s: %s', async (name, args, desc) => {
    expect(await ask(name, args)).toBe(`error: ${desc}`);
  });
});

describe('base64 that was decoded on its way in', () => {
  const text = 'QUJD'.repeat(600);
  const decodedText = (): Base64Text => {
    const [decoded] = decodeAll(bytesOf(`{"x": "${text}"}`), undefined, new JsonDecoder({ base64Members: new Set(['x']) }));
    const value = decoded?.kind === 'value' && isJsonObject(decoded.value) ? decoded.value.get('x') : undefined;
    if (!(value instanceof Base64Text)) throw new Error('not decoded');
    return value;
  };

  it('reaches a handler that takes it as it is, and any other as the text that was sent', () => {
    const value = decodedText();

    expect(validateArguments({ x: required(base64, '') }, new Map([['x', value]]))).toEqual({ x: value });
    expect(validateArguments({ x: required(str, '') }, new Map([['x', value]]))).toEqual({ x: text });
  });

  it('is a string where something else is expected', () => {
    expect(() => validateArguments({ x: required(int, '') }, new Map([['x', decodedText()]]))).toThrow("Invalid parameter type for 'x', expected: integer");
  });

  it('is printed as it was sent', () => {
    expect(jsonText(decodedText())).toBe(`"${text}"`);
  });
});

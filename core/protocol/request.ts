// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './value.ts';

/** A well-formed request; whether the command exists and takes these arguments is not yet known. */
export interface Request {
  readonly execute: string;
  /** Empty if the request has no `arguments`. */
  readonly args: JsonObject;
}

const noArguments: JsonObject = new Map();

/**
 * Checks the envelope: an object with `execute`, perhaps `arguments` and `id`, and nothing else.
 *
 * Throws the `AgentError` of the first member that is wrong, in the order sent (qemu-ga: in the order of its hash).
 */
export function parseRequest(value: JsonValue): Request {
  if (!isJsonObject(value)) throw AgentError.failed('QMP input must be a JSON object');
  const execute = value.get('execute');
  const args = value.get('arguments');
  const size = 1 + (args === undefined ? 0 : 1) + (value.has('id') ? 1 : 0);
  if (typeof execute === 'string' && value.size === size) {
    if (args === undefined) return { execute, args: noArguments };
    if (isJsonObject(args)) return { execute, args };
  }
  throw envelopeError(value);
}

function envelopeError(request: JsonObject): AgentError {
  for (const [name, member] of request) {
    if (name === 'execute') {
      if (typeof member !== 'string') return AgentError.failed("QMP input member 'execute' must be a string");
    } else if (name === 'arguments') {
      if (!isJsonObject(member)) return AgentError.failed("QMP input member 'arguments' must be an object");
    } else if (name !== 'id') return AgentError.failed(`QMP input member '${name}' is unexpected`);
  }
  return AgentError.failed("QMP input lacks member 'execute'");
}

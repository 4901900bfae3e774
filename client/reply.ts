// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type JsonValue } from '../core/protocol/value.ts';
import { ClientError } from './client-error.ts';

/** An answer of an agent: what it returned, or its refusal. */
export interface Reply {
  /** The request's `id`, where the agent repeats it. */
  readonly id: JsonValue | undefined;
  readonly returned?: JsonValue;
  readonly error?: ClientError;
}

/**
 * The answer that a line is.
 *
 * @param shown how the line begins, for the error
 * @throws ClientError `garbage`
 */
export function replyOf(value: JsonValue, shown: string): Reply {
  if (!isJsonObject(value)) throw new ClientError('garbage', `the agent sent something that is no answer: ${JSON.stringify(shown)}`);
  const id = value.get('id');
  const error = value.get('error');
  if (error !== undefined) {
    const desc = isJsonObject(error) ? error.get('desc') : undefined;
    const name = isJsonObject(error) ? error.get('class') : undefined;
    const agentClass = typeof name === 'string' ? name : 'GenericError';
    return { id, error: new ClientError('refused', typeof desc === 'string' ? desc : agentClass, { agentClass }) };
  }
  const returned = value.get('return');
  if (returned === undefined) throw new ClientError('garbage', `the agent sent neither a return value nor an error: ${JSON.stringify(shown)}`);
  return { id, returned };
}

/** @throws the refusal */
export function returnedBy({ returned, error }: Reply): JsonValue {
  if (error !== undefined) throw error;
  return returned ?? null;
}

import type { Buffer } from 'node:buffer';

import { JsonDecoder } from '../core/protocol/json-decoder.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import { isJsonObject, type JsonValue } from '../core/protocol/value.ts';
import { ClientError } from './client-error.ts';

/** An answer of an agent: what it returned, or its refusal. */
export interface Reply {
  /** The request's `id`, where the agent repeats it. */
  readonly id: JsonValue | undefined;
  readonly returned?: JsonValue;
  readonly error?: ClientError;
}

/** @throws ClientError `garbage` */
export function parseReply(line: Buffer): Reply {
  const mark = line.lastIndexOf(SENTINEL);
  const text = mark === -1 ? line : line.subarray(mark + 1);
  const value = onlyValue(text);
  if (value === undefined || !isJsonObject(value)) {
    throw new ClientError('garbage', `the agent sent something that is no answer: ${JSON.stringify(text.toString('latin1', 0, 120))}`);
  }
  const id = value.get('id');
  const error = value.get('error');
  if (error !== undefined) {
    const desc = isJsonObject(error) ? error.get('desc') : undefined;
    const name = isJsonObject(error) ? error.get('class') : undefined;
    const agentClass = typeof name === 'string' ? name : 'GenericError';
    return { id, error: new ClientError('refused', typeof desc === 'string' ? desc : agentClass, { agentClass }) };
  }
  const returned = value.get('return');
  if (returned === undefined) throw new ClientError('garbage', 'the agent sent neither a return value nor an error');
  return { id, returned };
}

function onlyValue(text: Buffer): JsonValue | undefined {
  const decoder = new JsonDecoder();
  decoder.feed(text);
  const decoded = decoder.next();
  return decoded?.kind === 'value' ? decoded.value : undefined;
}

/** @throws the refusal */
export function returnedBy({ returned, error }: Reply): JsonValue {
  if (error !== undefined) throw error;
  return returned ?? null;
}

// SPDX-License-Identifier: Apache-2.0
import type { Base64Text } from './base64-text.ts';

/**
 * A JSON value as it comes off the wire.
 *
 * The integer/double distinction of the protocol is kept in the type: an integer token that fits int64 or
 * uint64 is a `bigint` (exact), every other number is a `number` (an IEEE double, `1.0` and `1e3` included).
 * A long string of base64 is a `Base64Text` where the decoder was told to make one. Objects are maps, so that a key such as `__proto__` is only a key.
 */
export type JsonValue = null | boolean | string | Base64Text | bigint | number | readonly JsonValue[] | JsonObject;

/** Members in the order in which they were sent; keys are unique (the decoder refuses duplicates). */
export type JsonObject = ReadonlyMap<string, JsonValue>;

export const isJsonObject = (value: JsonValue): value is JsonObject => value instanceof Map;

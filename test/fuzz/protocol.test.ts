// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { AgentError } from '../../core/errors/agent-error.ts';
import { type Decoded, JsonDecoder } from '../../core/protocol/json-decoder.ts';
import { parseRequest } from '../../core/protocol/request.ts';
import { errorLine, returnLine } from '../../core/protocol/response.ts';
import { decodeAll } from '../unit/protocol/decoding.ts';
import { hostileInput, mutatedRequest, seed } from '../unit/protocol/hostile.ts';

const MESSAGES = 100_000;
const LINE = /^[\x20-\x7e]+\n$/;

/** What the agent would send, were every well-formed request a success. */
function reply(decoded: Decoded): string {
  if (decoded.kind === 'error') return errorLine(AgentError.failed(decoded.desc), undefined);
  try {
    parseRequest(decoded.value);
    return returnLine('{}', decoded.idText);
  } catch (error) {
    if (!AgentError.is(error)) throw error;
    return errorLine(error, decoded.idText);
  }
}

describe(`hostile messages (CONCIERGE_SEED=${seed})`, () => {
  it(`${MESSAGES} of them are each answered by lines of printable ASCII that are valid JSON`, () => {
    const decoder = new JsonDecoder();
    fc.assert(
      fc.property(fc.oneof(hostileInput, mutatedRequest), fc.integer({ min: 1, max: 64 }), (bytes, size) => {
        for (const decoded of decodeAll(bytes, [size], decoder)) {
          const line = reply(decoded);
          if (!LINE.test(line)) throw new Error(`not a line: ${line}`);
          JSON.parse(line);
        }
        if (decoder.pendingBytes > 1 << 20) decoder.reset();
      }),
      { seed, numRuns: MESSAGES },
    );

    decodeAll(Buffer.from('\xff\n', 'latin1'), [2], decoder);
    expect(decoder.pendingBytes).toBe(0);
  });
});

// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { type Decoded, JsonDecoder } from '../../core/protocol/json-decoder.ts';
import { jsonNumber } from '../../core/protocol/json-text.ts';
import { parseRequest } from '../../core/protocol/request.ts';
import { errorLine, returnLine } from '../../core/protocol/response.ts';
import type { JsonObject } from '../../core/protocol/value.ts';

/** Thrown for a command that only the whole agent can answer. */
export class NeedsAgent extends Error {}

const ofOthers = /^guest-(exec|file|fs|fstrim|get|info|network|set|shutdown|ssh|suspend)/;

function onlyMember(args: JsonObject, name: string | undefined): void {
  for (const key of args.keys()) if (key !== name) throw AgentError.failed(`Parameter '${key}' is unexpected`);
}

function syncId(args: JsonObject): string {
  const id = args.get('id');
  if (id === undefined) throw AgentError.failed("Parameter 'id' is missing");
  if (typeof id !== 'bigint' || BigInt.asIntN(64, id) !== id) {
    throw AgentError.failed("Invalid parameter type for 'id', expected: integer");
  }
  onlyMember(args, 'id');
  return jsonNumber(id);
}

/** The protocol layer with the three commands that need nothing of the machine. */
export class ProtocolAgent {
  readonly decoder = new JsonDecoder();

  /** Reply lines without line feed, for bytes that arrive in chunks of `chunkSize`. */
  send(bytes: Buffer, chunkSize = bytes.length): Buffer[] {
    const lines: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += chunkSize) {
      const chunk = Buffer.from(bytes.subarray(at, at + chunkSize));
      this.decoder.feed(chunk);
      for (let decoded = this.decoder.next(); decoded !== undefined; decoded = this.decoder.next()) {
        lines.push(Buffer.from(this.#answer(decoded).slice(0, -1), 'latin1'));
      }
      chunk.fill(0x21);
    }
    return lines;
  }

  #answer(decoded: Decoded): string {
    if (decoded.kind === 'error') return errorLine(AgentError.failed(decoded.desc), undefined);
    try {
      const { execute, args } = parseRequest(decoded.value);
      if (execute === 'guest-sync') return returnLine(syncId(args), decoded.idText);
      if (execute === 'guest-sync-delimited') return returnLine(syncId(args), decoded.idText, true);
      if (execute === 'guest-ping') {
        onlyMember(args, undefined);
        return returnLine('{}', decoded.idText);
      }
      if (ofOthers.test(execute)) throw new NeedsAgent(execute);
      throw new AgentError('command-not-found', `The command ${execute} has not been found`);
    } catch (error) {
      if (error instanceof NeedsAgent) throw error;
      return errorLine(error, decoded.idText);
    }
  }
}

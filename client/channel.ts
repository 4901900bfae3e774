// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from '../core/protocol/value.ts';
import type { CallLimit } from './call-limit.ts';
import type { ClientError } from './client-error.ts';
import type { RequestParts } from './encode-arguments.ts';
import type { HeldCall } from './held-call.ts';

/** A way to an agent, for one call at a time. */
export interface Channel {
  /** Why it is gone; absent while it is good. */
  readonly ended: ClientError | undefined;
  /** A call has its turn. @param afresh makes sure that the agent listens, whatever was before. @throws ClientError */
  begin(limit: CallLimit, afresh: boolean): Promise<void>;
  /**
   * Sends a request, and answers what it returned.
   *
   * @param next is asked, when it is sent, for the bytes of the next call
   * @param held tells when the answer is wanted at once, of a channel that can say so
   * @throws ClientError
   */
  call(name: string, argumentParts: RequestParts, limit: CallLimit, next?: () => Promise<Uint8Array>, held?: HeldCall): Promise<JsonValue>;
  endTurn(): void;
  /** @param error what every further call fails with */
  close(error: ClientError): void;
}

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
  /** Whether the agent sees all calls come from one host, until the channel ends. */
  readonly isOwnConnection: boolean;
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
  /**
   * Sends the request of a call that will be made next, behind one whose answer the agent holds back: that one is answered at once. Its answer
   * is the call's that is held by `held`. Only of requests that may be repeated: after a failure it is sent again.
   *
   * @returns false where that cannot be done; nothing was sent then
   */
  sendAhead?(name: string, argumentParts: RequestParts, held: HeldCall): boolean;
  endTurn(): void;
  /** @param error what every further call fails with */
  close(error: ClientError): void;
}

// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import { jsonString } from './json-text.ts';
import { protocolLimits } from './limits.ts';

/** The byte in front of the success reply to guest-sync-delimited. It occurs nowhere else in what the agent sends. */
export const SENTINEL = 0xff;

/** The two classes that qemu-ga 11.1 sends. */
export type ErrorClass = 'GenericError' | 'CommandNotFound';

export interface ErrorDescription {
  readonly class: ErrorClass;
  readonly desc: string;
}

function messageOf(error: unknown): string {
  if (error instanceof Error && error.message !== '') return error.message;
  try {
    return String(error);
  } catch {
    return 'unknown error';
  }
}

export const errorClass = (error: unknown): ErrorClass =>
  AgentError.is(error) && error.kind === 'command-not-found' ? 'CommandNotFound' : 'GenericError';

/** What a client is told about anything thrown: the only place where an error becomes a class and a text. */
export const describeError = (error: unknown): ErrorDescription => ({
  class: errorClass(error),
  desc: cut(AgentError.is(error) ? error.message : messageOf(error)),
});

/** A name that a host has made up may have 64 MiB, and six times that as JSON. */
const cut = (desc: string): string => (desc.length > protocolLimits.desc ? `${desc.slice(0, protocolLimits.desc)}...` : desc);

/** The reply line of a failure. `idText` is the JSON text of the request's `id`, if it had one that could be read. */
export function errorLine(error: unknown, idText: string | undefined): string {
  const { class: name, desc } = describeError(error);
  const id = idText === undefined ? '' : `"id": ${idText}, `;
  return `{${id}"error": {"class": "${name}", "desc": ${jsonString(desc)}}}\n`;
}

/**
 * The reply line of a success; `returnText` is JSON text of printable ASCII.
 *
 * `delimited` puts the sentinel in front as U+00FF. Lines have no other character above 0x7E, so that written as
 * latin1 they are exactly the bytes to send; a session that writes `SENTINEL` itself leaves it out.
 */
export function returnLine(returnText: string, idText: string | undefined, delimited = false): string {
  const sentinel = delimited ? '\u00ff' : '';
  return idText === undefined
    ? `${sentinel}{"return": ${returnText}}\n`
    : `${sentinel}{"return": ${returnText}, "id": ${idText}}\n`;
}

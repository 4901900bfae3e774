// SPDX-License-Identifier: Apache-2.0
import { ClientError, type ClientErrorKind } from './client-error.ts';

/** What libvirt says of an agent, by what it means. */
const meanings: readonly (readonly [pattern: RegExp, kind: ClientErrorKind])[] = [
  [/unable to execute QEMU agent command '[^']*': ([^]*)/, 'refused'],
  // The first of them when the agent does not answer libvirt's own resynchronisation; the last is how newer releases say both.
  [/(guest agent not available for now|guest agent command timed out|guest agent didn't respond to [^]*)/i, 'timeout'],
];

/**
 * The error that a sentence of libvirt stands for, where it tells of the agent; whoever passes it on (virsh, the daemon) says the same. An
 * error of the agent has lost its class in it: that is told by the sentence which every agent has for it.
 */
export function agentErrorOf(text: string): ClientError | undefined {
  for (const [pattern, kind] of meanings) {
    const [, words] = pattern.exec(text) ?? [];
    if (words === undefined) continue;
    const agentClass = /has not been found|has been disabled/.test(words) ? 'CommandNotFound' : 'GenericError';
    return new ClientError(kind, words.trim(), kind === 'refused' ? { agentClass } : {});
  }
  return undefined;
}

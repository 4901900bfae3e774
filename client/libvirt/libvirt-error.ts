// SPDX-License-Identifier: Apache-2.0
import { ClientError, type ClientErrorKind } from '../client-error.ts';
import { agentErrorOf } from '../agent-words.ts';
import { errorNumber } from './protocol.ts';
import type { XdrReader } from './xdr.ts';

/** The error that a daemon sends instead of an answer: its number, the part of libvirt that it is from, and a sentence; the rest repeats these. */
export function libvirtError(payload: XdrReader): ClientError {
  const code = payload.int();
  payload.int();
  const message = payload.optional(() => payload.text()) ?? `error ${code} of the libvirt daemon`;
  return errorOf(code, message);
}

/** What the numbers mean to somebody who wants to talk to an agent, and what is to be done. */
const meanings: Readonly<Record<number, readonly [kind: ClientErrorKind, hint: string]>> = {
  [errorNumber.noDomain]: ['closed', 'virsh list --all tells the names'],
  [errorNumber.operationInvalid]: ['closed', 'start the domain, then try again'],
  [errorNumber.argumentUnsupported]: ['closed', "add <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel> to the domain"],
  [errorNumber.configUnsupported]: ['closed', "add <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel> to the domain"],
  [errorNumber.operationDenied]: ['closed', 'a read-only connection does not carry commands for the agent'],
  [errorNumber.accessDenied]: ['closed', 'the access rules of this host forbid it to this user'],
  [errorNumber.authFailed]: ['closed', 'become root, or a member of the group libvirt'],
  [errorNumber.authCancelled]: ['closed', 'become root, or a member of the group libvirt'],
  [errorNumber.authUnavailable]: ['closed', 'become root, or a member of the group libvirt'],
  [errorNumber.noSupport]: ['closed', 'only domains of the QEMU driver have such an agent'],
  [errorNumber.operationTimeout]: ['timeout', 'another command is under way in the domain'],
};

const anew = 'libvirt talks to this agent again once it is restarted in the guest, or the libvirt daemon is';

function errorOf(code: number, message: string): ClientError {
  const ofAgent = agentErrorOf(message);
  if (ofAgent !== undefined) return ofAgent;
  // libvirt gives such a channel up until the guest opens it anew.
  if (/No complete agent response found/i.test(message)) return new ClientError('too-large', `an answer longer than libvirt takes of an agent: ${message} (${anew})`);
  if (code === errorNumber.agentUnresponsive && /not available due to an error/.test(message)) return new ClientError('closed', `${message} (${anew})`);
  if (code === errorNumber.agentUnresponsive) return new ClientError('closed', `${message} (is an agent running in the guest?)`);
  // The answer is longer than what a packet of libvirt takes, or than libvirt keeps of an agent: the connection is good for the next.
  if (/too big|too long|exceeds|too large|unable to encode message payload/i.test(message)) return new ClientError('too-large', `${message} (ask for less at a time)`);
  const [kind, hint] = meanings[code] ?? ['closed'];
  return new ClientError(kind, hint === undefined ? message : `${message} (${hint})`);
}

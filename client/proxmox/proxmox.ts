// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../../core/protocol/json-text.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/protocol/value.ts';
import { ClientError } from '../client-error.ts';
import type { SingleCommands } from '../single-commands.ts';
import { proxmoxCall } from './proxmox-calls.ts';
import { callRest, checkedHost, type ProxmoxHost, type RestAnswer } from './rest.ts';

export interface ProxmoxOptions extends ProxmoxHost {
  readonly node: string;
  readonly vmid: number;
}

/**
 * The way to the agent of a virtual machine of Proxmox VE, through its REST interface and with an API token:
 * `new GuestClient(proxmoxAgent({ url: 'https://pve1:8006', node: 'pve1', vmid: 104, token }))`.
 *
 * @throws ClientError `misused` for options that lead nowhere
 */
export function proxmoxAgent(options: ProxmoxOptions): SingleCommands {
  const { node, vmid } = options;
  checkedHost(options);
  if (!/^[\w.-]+$/.test(node) || !Number.isSafeInteger(vmid) || vmid < 1) throw new ClientError('misused', `'${node}/${vmid}' is no guest of Proxmox VE: write NODE/VMID, as in pve1/104`);
  return {
    ask: async (request, signal) => {
      const { execute, arguments: args } = JSON.parse(request) as { readonly execute: string; readonly arguments: Readonly<Record<string, unknown>> };
      const call = proxmoxCall(execute, args);
      const answer = await callRest(options, call.method, `/nodes/${node}/qemu/${vmid}/agent/${call.path}`, call.parameters, signal);
      return jsonText(answerOf(answer, call.returned, `${node}/${vmid}`));
    },
  };
}

const nothing: JsonObject = new Map();

function answerOf({ status, reason, body = null }: RestAnswer, returned: (data: JsonObject) => JsonValue, guest: string): JsonValue {
  const members = isJsonObject(body) ? body : nothing;
  if (status !== 200) throw errorOf(status, reasonOf(reason, members), guest);
  const data = members.get('data') ?? null;
  if (!isJsonObject(data)) throw new ClientError('garbage', 'Proxmox VE answered nothing that is an answer of an agent');
  const held = data.get('result') ?? null;
  // Some releases pass the agent's error on as it is.
  return isJsonObject(held) && held.has('error') ? held : new Map([['return', returned(data)]]);
}

function reasonOf(reason: string, members: JsonObject): string {
  const message = members.get('message');
  const errors = members.get('errors') ?? null;
  const wrong = isJsonObject(errors) ? [...errors].map(([name, why]) => `${name}: ${typeof why === 'string' ? why.trim() : ''}`).join(', ') : '';
  const text = reason === '' && typeof message === 'string' ? message.trim() : reason;
  return wrong === '' ? text : `${text} (${wrong})`;
}

/** What its words mean; they stand in the status line, and have no number of their own. */
function errorOf(status: number, words: string, guest: string): ClientError {
  if (status === 401) return new ClientError('closed', `Proxmox VE does not know the API token: ${words}`);
  if (status === 403) return new ClientError('closed', `the API token may not do this: ${words} (a role with VM.Monitor, from Proxmox VE 9 on VM.GuestAgent.*, is what it needs)`);
  if (/got timeout|timed? ?out/i.test(words)) return new ClientError('timeout', words);
  if (/no qemu guest agent configured/i.test(words)) return new ClientError('closed', `${words} (qm set ${guest.replace(/^.*\//, '')} --agent 1, then start the guest anew)`);
  if (/guest agent is not running/i.test(words)) return new ClientError('closed', `${words} (is an agent running in the guest?)`);
  const [, ofAgent] = /(?:agent error: |qmp command '[^']*' failed - )([^]*)/i.exec(words) ?? [];
  if (ofAgent !== undefined) return new ClientError('refused', ofAgent.trim(), { agentClass: /has not been found|has been disabled/.test(ofAgent) ? 'CommandNotFound' : 'GenericError' });
  if (status === 501) return new ClientError('refused', `this release of Proxmox VE does not pass the command on: ${words}`, { agentClass: 'CommandNotFound' });
  // 595 and 596: its proxy does not reach the node.
  return new ClientError('closed', `Proxmox VE: ${words === '' ? 'it gave no reason' : words} (status ${status})`);
}

// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import type { JsonObject, JsonValue } from '../../core/protocol/value.ts';
import { ClientError } from '../client-error.ts';

/** A command of the agent as Proxmox VE's interface has it. */
export interface ProxmoxCall {
  readonly method: 'GET' | 'POST';
  /** Behind `/nodes/NODE/qemu/VMID/agent/`. */
  readonly path: string;
  readonly parameters: URLSearchParams;
  /** What the agent answered, of what Proxmox VE made of it. */
  readonly returned: (data: JsonObject) => JsonValue;
}

type Arguments = Readonly<Record<string, unknown>>;

/** Bytes that it takes as the input of a program. */
export const MOST_INPUT = 64 * 1024;

const asked = new Set(['get-fsinfo', 'get-host-name', 'get-memory-block-info', 'get-memory-blocks', 'get-osinfo', 'get-time', 'get-timezone', 'get-users', 'get-vcpus', 'info', 'network-get-interfaces']);
const told = new Set(['fsfreeze-freeze', 'fsfreeze-status', 'fsfreeze-thaw', 'fstrim', 'ping', 'shutdown', 'suspend-disk', 'suspend-hybrid', 'suspend-ram']);

const notPassed = (what: string): ClientError => new ClientError('refused', `Proxmox VE does not pass ${what} on`, { agentClass: 'CommandNotFound' });

const nothing: JsonObject = new Map();
const result = (data: JsonObject): JsonValue => data.get('result') ?? nothing;

/** @throws ClientError `refused` for what Proxmox VE does not pass on, `too-large` for more than it takes */
export function proxmoxCall(name: string, args: Arguments): ProxmoxCall {
  const command = name.replace(/^guest-/, '');
  if (asked.has(command) || told.has(command)) {
    const [given] = Object.keys(args);
    // It powers down, which is what the agent does without being told how.
    if (given !== undefined && !(command === 'shutdown' && args['mode'] === 'powerdown')) throw notPassed(`'${given}' of ${name}`);
    return { method: asked.has(command) ? 'GET' : 'POST', path: command, parameters: new URLSearchParams(), returned: result };
  }
  if (command === 'exec') return execCall(args);
  if (command === 'exec-status') {
    return { method: 'GET', path: 'exec-status', parameters: new URLSearchParams({ pid: String(args['pid']) }), returned: execStatus };
  }
  if (command === 'set-user-password') {
    const parameters = new URLSearchParams({ username: String(args['username']), password: Buffer.from(String(args['password']), 'base64').toString('utf8'), crypted: args['crypted'] === true ? '1' : '0' });
    return { method: 'POST', path: command, parameters, returned: () => nothing };
  }
  throw notPassed(name);
}

function execCall(args: Arguments): ProxmoxCall {
  if (args['env'] !== undefined) throw notPassed("'env' of guest-exec");
  const parameters = new URLSearchParams();
  for (const word of [args['path'], ...(args['arg'] as readonly unknown[] | undefined ?? [])]) parameters.append('command', String(word));
  const input = args['input-data'];
  if (typeof input === 'string') {
    const bytes = Buffer.from(input, 'base64');
    if (bytes.length > MOST_INPUT) throw new ClientError('too-large', `Proxmox VE takes ${MOST_INPUT} bytes as the input of a program, not ${bytes.length}`);
    const text = bytes.toString('utf8');
    if (!Buffer.from(text).equals(bytes)) throw notPassed("input that is no UTF-8 for guest-exec's program");
    parameters.set('input-data', text);
  }
  return { method: 'POST', path: 'exec', parameters, returned: (data) => new Map([['pid', data.get('pid') ?? null]]) };
}

/** It says 0 and 1 for what the agent answers as booleans, and has decoded the base64. */
function execStatus(data: JsonObject): JsonValue {
  const answer = new Map<string, JsonValue>([['exited', false]]);
  for (const [name, value] of data) {
    if (name === 'exited' || name.endsWith('-truncated')) answer.set(name, value === true || value === 1n);
    else answer.set(name, name.endsWith('-data') && typeof value === 'string' ? base64Of(value) : value);
  }
  return answer;
}

/** Bytes, each of which it wrote as one character; text where it holds characters that are no bytes. */
const base64Of = (text: string): string => Buffer.from(text, /^[\0-\u00ff]*$/u.test(text) ? 'latin1' : 'utf8').toString('base64');

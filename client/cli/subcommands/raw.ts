// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../../../core/errors/agent-error.ts';
import { closestName } from '../../../core/errors/closest-name.ts';
import { commandNames } from '../../../core/schema/index.ts';
import { ClientError } from '../../client-error.ts';
import type { GuestClient } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** `raw NAME [ARGUMENTS]`, or one whole request as `virsh qemu-agent-command` takes it. */
export const run: RunSubcommand = async ({ client, words, print }) => {
  const [first, second, ...more] = words;
  if (first === undefined || more.length > 0) throw new UsageError("say which command: raw NAME ['{ARGUMENTS}'], or raw '{\"execute\": …}'");
  const { name, args } = first.trimStart().startsWith('{') ? wholeRequest(first) : { name: first, args: second ?? '{}' };
  if (!args.trimStart().startsWith('{')) throw new UsageError(`arguments are a JSON object, not ${args}`);
  print(`${jsonText(await callWith(client, name, args))}\n`);
  return 0;
};

/** What the client does not take as arguments was typed wrong. */
async function callWith(client: GuestClient, name: string, args: string): Promise<unknown> {
  try {
    return await client.executeRaw(name, args);
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : withWhatThereIs(error, name);
  }
}

/** The agent's words do not say whether the name is misspelt or the guest lacks the command. */
function withWhatThereIs(error: unknown, name: string): unknown {
  if (!ClientError.is(error) || error.agentClass !== 'CommandNotFound' || !error.message.includes('has not been found')) return error;
  const meant = closestName(name, commandNames);
  const hint = meant === undefined || meant === name ? 'concierge-ctl raw guest-info lists what the agent has' : `did you mean ${meant}?`;
  return new ClientError('refused', `${error.message} (${hint})`, { agentClass: error.agentClass, cause: error });
}

/** The arguments keep their own text: large integers stay exact. */
function wholeRequest(text: string): { readonly name: string; readonly args: string } {
  let args = '{}';
  try {
    const request = JSON.parse(text, function keep(this: unknown, key: string, value: unknown, source?: { readonly source?: string }): unknown {
      return typeof value === 'number' && source?.source !== undefined && key !== '' ? { exact: source.source } : value;
    } as (key: string, value: unknown) => unknown) as { readonly execute?: unknown; readonly arguments?: unknown };
    if (typeof request.execute !== 'string') throw new UsageError("a request needs 'execute'");
    if (request.arguments !== undefined) args = exactText(request.arguments);
    return { name: request.execute, args };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`this is no JSON: ${messageOf(error)}`);
  }
}

function exactText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(exactText).join(',')}]`;
  if ('exact' in value && typeof value.exact === 'string' && Object.keys(value).length === 1) return value.exact;
  return `{${Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}:${exactText(one)}`).join(',')}}`;
}

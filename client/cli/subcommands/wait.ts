// SPDX-License-Identifier: Apache-2.0
import { unlessAborted } from '../../call-limit.ts';
import { ClientError } from '../../client-error.ts';
import { GrowingPause } from '../../growing-pause.ts';
import type { GuestClient } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import { untilSignal } from '../signals.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** Milliseconds by which the clocks of guest and host may differ, the way between them included. */
const SAME_TIME = 5_000;
const WITHIN = 300;

/** What a guest can be waited for: answers what is to be told of it, or nothing while it is not so. */
const conditions: Readonly<Record<string, (client: GuestClient, call: { readonly signal: AbortSignal }) => Promise<unknown>>> = {
  agent: async (client, call) => {
    await client.execute('guest-ping', {}, call);
    return true;
  },
  ip: async (client, call) => {
    const addresses = (await client.execute('guest-network-get-interfaces', {}, call)).flatMap((one) => one['ip-addresses'] ?? []).map((one) => one['ip-address']);
    const reachable = addresses.filter((address) => !/^(127\.|169\.254\.|::1$|fe[89ab][\da-f]:)/i.test(address));
    return reachable.length === 0 ? undefined : reachable;
  },
  time: async (client, call) => {
    const before = Date.now();
    const ms = Number((await client.execute('guest-get-time', {}, call)) / 1_000_000n);
    return ms > before - SAME_TIME && ms < Date.now() + SAME_TIME ? true : undefined;
  },
};

/** `wait --for agent,ip,time [--within SECONDS]`: until all of it is so. */
export const run: RunSubcommand = async (context) => {
  const { flags } = context;
  const wanted = (flags.get('for') ?? 'agent').split(',');
  const unknown = wanted.find((one) => !Object.hasOwn(conditions, one));
  if (unknown !== undefined) throw new UsageError(`a guest can be waited for by ${Object.keys(conditions).join(', ')}, not by '${unknown}'`);
  const within = flags.get('within') ?? String(WITHIN);
  if (!/^\d+(\.\d+)?$/.test(within)) throw new UsageError(`--within takes a number of seconds, not '${within}'`);
  return await untilSignal(context.signals ?? process, (signal) => waitFor(context, wanted, Number(within) * 1000, signal));
};

async function waitFor({ reconnect, json, print }: SubcommandContext, wanted: readonly string[], withinMs: number, signal: AbortSignal): Promise<number> {
  const seen: Record<string, unknown> = {};
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort('limit'), withinMs);
  const onSignal = (): void => limit.abort(signal.reason);
  signal.addEventListener('abort', onSignal, { once: true });
  let why = '';
  let client: GuestClient | undefined;
  try {
    for (const pause = new GrowingPause(limit.signal); ; await pause.wait()) {
      try {
        if (client?.isOpen !== true && reconnect !== undefined) client = await unlessAborted(reconnect(), limit.signal);
        for (const name of wanted) seen[name] ??= client === undefined ? undefined : await conditions[name]?.(client, { signal: limit.signal });
        why = '';
      } catch (error) {
        // An agent that is not there yet, or goes once more while the guest starts, is what is waited for.
        if (!ClientError.is(error) || error.kind === 'aborted' || error.kind === 'misused') throw error;
        why = error.message;
      }
      if (wanted.every((name) => seen[name] !== undefined)) break;
    }
  } catch (error) {
    if (!ClientError.is(error) || limit.signal.reason !== 'limit') throw error;
    const missing = wanted.filter((name) => seen[name] === undefined).join(', ');
    throw new ClientError('timeout', `within ${withinMs / 1000} s there was no ${missing}${why === '' ? '' : `: ${why}`}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onSignal);
    client?.close();
  }
  const addresses = (seen['ip'] ?? []) as readonly string[];
  print(json ? `${jsonText(seen)}\n` : addresses.map((address) => `${address}\n`).join(''));
  return 0;
}

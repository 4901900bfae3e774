// SPDX-License-Identifier: Apache-2.0
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { ClientError } from '../../client-error.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { carry } from '../tunnel/carry.ts';
import { forwardOf, placeText, type Forward } from '../tunnel/forward.ts';
import { GuestEnd } from '../tunnel/guest-end.ts';
import { untilSignal } from '../signals.ts';
import { UsageError } from '../usage-error.ts';

/** Connections at a time; each is a program in the guest. */
export const MOST_CONNECTIONS = 64;

/** How long what still runs in the guest is waited for when it is given up, in milliseconds. */
const PATIENCE_MS = 2000;

/** `tunnel [BIND:]PORT:HOST:HOSTPORT...`. */
export const run: RunSubcommand = async (context) => {
  const forwards = context.words.map(forwardOf);
  if (forwards.length === 0) throw new UsageError('say what leads where: tunnel [BIND:]PORT:HOST:HOSTPORT, as in 8080:localhost:80');
  try {
    await untilSignal(context.signals ?? process, (signal) => forward(context, forwards, signal));
  } catch (error) {
    if (!ClientError.is(error) || error.kind !== 'aborted') throw error;
  }
  // There is no other end to it.
  return 0;
};

async function forward(context: SubcommandContext, forwards: readonly Forward[], signal: AbortSignal): Promise<void> {
  const { client, complain, print, json } = context;
  const guest = await GuestEnd.of(client, signal);
  const connections = new Set<Socket>();
  const carried = new Set<Promise<void>>();
  let lose: (error: Error) => void = () => undefined;
  const lost = new Promise<never>((_resolve, reject) => { lose = reject; });
  lost.catch(() => undefined);
  const servers: Server[] = [];
  const take = (here: Socket, { host, hostPort }: Forward): void => {
    const place = placeText(host, hostPort);
    if (connections.size >= MOST_CONNECTIONS) {
      complain(`concierge-ctl: ${place}: there are ${MOST_CONNECTIONS} connections already\n`);
      here.on('error', () => undefined).resetAndDestroy();
      return;
    }
    connections.add(here);
    const carrying = carry(here, guest.connect(host, hostPort), (why) => {
      complain(`concierge-ctl: ${place} in the guest: ${typeof why === 'string' ? why : messageOf(why)}\n`);
      // Without a way to the guest there is nothing to listen for.
      if (ClientError.is(why) && why.kind === 'closed' && !client.isOpen) lose(why);
    }).finally(() => {
      connections.delete(here);
      carried.delete(carrying);
    });
    carried.add(carrying);
  };
  try {
    for (const one of forwards) {
      // oxlint-disable-next-line no-await-in-loop -- in the order in which they were given
      const server = await listening(one, (here) => take(here, one));
      servers.push(server);
      const { address, port } = server.address() as AddressInfo;
      if (json) print(`${JSON.stringify({ listen: placeText(address, port), to: placeText(one.host, one.hostPort) })}\n`);
      else complain(`concierge-ctl: ${placeText(address, port)} leads to ${placeText(one.host, one.hostPort)} in the guest\n`);
    }
    await Promise.race([aborted(signal), lost]);
  } finally {
    for (const server of servers) server.close();
    for (const here of connections) here.resetAndDestroy();
    await Promise.race([Promise.all(carried), new Promise((resolve) => void setTimeout(resolve, PATIENCE_MS).unref())]);
  }
}

function listening({ bind, port }: Forward, take: (here: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    // The end of one direction is not that of the other.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, take);
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'somebody listens there already' : code === 'EACCES' ? 'this user is not permitted to' : code === 'EADDRNOTAVAIL' ? 'this host has no such address' : (code ?? message);
      reject(new ClientError('closed', `cannot listen at ${placeText(bind, port)}: ${why}`));
    });
    server.listen({ host: bind, port }, () => resolve(server));
  });
}

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
});

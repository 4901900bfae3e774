// SPDX-License-Identifier: Apache-2.0
import { guestInfo, guestPing, guestSync, guestSyncDelimited } from '../schema/session.ts';
import { handler, type CommandContext } from './command.ts';

/** What a host says first: it is answered when the guest's clock is right. */
const synchronize = ({ generation }: CommandContext, id: bigint): bigint | Promise<bigint> => {
  const settling = generation.hostSynchronized();
  return settling === undefined ? id : settling.then(() => id);
};

export const syncDelimited = handler(guestSyncDelimited, (context, { id }) => synchronize(context, id));

export const sync = handler(guestSync, (context, { id }) => synchronize(context, id));

/** Says nothing in the accounting log: hosts ping all day. */
export const ping = handler(guestPing, () => undefined);

export const info = handler(guestInfo, ({ catalog, channel }) => ({
  version: catalog.version,
  supported_commands: catalog
    .list(channel)
    .map(({ schema, enabled }) => ({ name: schema.name, enabled, 'success-response': schema.successResponse }))
    .toReversed(),
}));

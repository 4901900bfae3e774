// SPDX-License-Identifier: Apache-2.0
import { guestInfo, guestPing, guestSync, guestSyncDelimited } from '../schema/session.ts';
import { handler } from './command.ts';

export const syncDelimited = handler(guestSyncDelimited, (_context, { id }) => id);

export const sync = handler(guestSync, (_context, { id }) => id);

/** Says nothing in the accounting log: hosts ping all day. */
export const ping = handler(guestPing, () => undefined);

export const info = handler(guestInfo, ({ catalog, channel }) => ({
  version: catalog.version,
  supported_commands: catalog
    .list(channel)
    .map(({ schema, enabled }) => ({ name: schema.name, enabled, 'success-response': schema.successResponse }))
    .toReversed(),
}));

// SPDX-License-Identifier: Apache-2.0
import { guestListPlaces, readGuestList } from '../guest-list.ts';
import { jsonText } from '../print-json.ts';
import { domainsThatRun } from '../targets.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';

/** `guests`: the names of the list, one a line; with `--libvirt PATTERN` those of libvirt. What completion completes. */
export const run: RunSubcommand = async (context) => {
  const { json, print } = context;
  const guests = await guestsOf(context);
  if (json) print(`${jsonText(guests)}\n`);
  else print(guests.map(({ name }) => `${name}\n`).join(''));
  return 0;
};

async function guestsOf({ flags, environment }: SubcommandContext): Promise<readonly { readonly name: string }[]> {
  const pattern = flags.get('libvirt');
  if (pattern !== undefined) return (await domainsThatRun(flags, environment, pattern)).map((name) => ({ name, libvirt: name }));
  const list = await readGuestList(guestListPlaces(flags.get('guests'), environment));
  return [...list].map(([name, ways]) => ({ name, ...Object.fromEntries(ways) }));
}

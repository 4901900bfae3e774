// SPDX-License-Identifier: Apache-2.0
import { guestListPlaces, howToBegin, readGuestList } from '../guest-list.ts';
import { jsonText } from '../print-json.ts';
import { domainsThatRun } from '../targets.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';

/** `guests`: the names of the list, one a line; with `--libvirt PATTERN` those of libvirt. What completion completes. */
export const run: RunSubcommand = async (context) => {
  const { json, print, complain } = context;
  const guests = await guestsOf(context);
  if (guests.length === 0) complain(`concierge-ctl: ${whyNone(context)}\n`);
  if (json) print(`${jsonText(guests)}\n`);
  else print(guests.map(({ name }) => `${name}\n`).join(''));
  return 0;
};

const whyNone = ({ flags, environment }: SubcommandContext): string =>
  flags.has('libvirt') ? 'no domain of this name runs' : `there is no list of guests, or nothing in it: ${guestListPlaces(flags.get('guests'), environment).join(' or ')}; ${howToBegin}`;

async function guestsOf({ flags, environment }: SubcommandContext): Promise<readonly { readonly name: string }[]> {
  const pattern = flags.get('libvirt');
  if (pattern !== undefined) return (await domainsThatRun(flags, environment, pattern)).map((name) => ({ name, libvirt: name }));
  const list = await readGuestList(guestListPlaces(flags.get('guests'), environment));
  return [...list].map(([name, ways]) => ({ name, ...Object.fromEntries(ways) }));
}

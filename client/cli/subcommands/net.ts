// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import { bytesText } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';

export const run: RunSubcommand = async ({ client, json, print, showTable }) => {
  const list = await client.execute('guest-network-get-interfaces');
  if (json) {
    print(`${jsonText(list)}\n`);
    return 0;
  }
  const rows = list.flatMap(({ name, 'hardware-address': hardware = '', 'ip-addresses': addresses = [], statistics }) => {
    const first = [name, hardware, bytesText(statistics?.['rx-bytes']), bytesText(statistics?.['tx-bytes'])];
    const texts = addresses.map((one) => `${one['ip-address']}/${one.prefix}`);
    // One line for each address; what belongs to the interface stands in the first.
    return (texts.length === 0 ? [''] : texts).map((text, index) => (index === 0 ? [...first, text] : ['', '', '', '', text]));
  });
  showTable(
    [{ title: 'NAME' }, { title: 'HARDWARE' }, { title: 'RECEIVED', right: true }, { title: 'SENT', right: true }, { title: 'ADDRESSES' }],
    rows,
  );
  return 0;
};

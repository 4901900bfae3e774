// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import { bytesText } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';

export const run: RunSubcommand = async ({ client, json, print, showTable }) => {
  const list = await client.execute('guest-get-fsinfo');
  if (json) {
    print(`${jsonText(list)}\n`);
    return 0;
  }
  // qemu-ga answers the latest mount first.
  const rows = list.toReversed().map((one) => {
    const used = one['used-bytes'];
    const total = one['total-bytes'];
    const percent = used === undefined || total === undefined || total === 0n ? '' : `${Math.ceil((Number(used) * 100) / Number(total))} %`;
    const disks = one.disk.map(({ dev, serial }) => [dev, serial === undefined ? undefined : `(${serial})`].filter(Boolean).join(' '));
    return [one.mountpoint, one.type, one.name, bytesText(total), bytesText(used), percent, disks.filter((disk) => disk !== '').join(', ')];
  });
  showTable(
    [{ title: 'MOUNTED ON' }, { title: 'TYPE' }, { title: 'DEVICE' }, { title: 'SIZE', right: true }, { title: 'USED', right: true }, { title: 'USE', right: true }, { title: 'DISKS' }],
    rows,
  );
  return 0;
};

// SPDX-License-Identifier: Apache-2.0
/** Many fake guests, each behind a socket in a folder: `node bench/lib/guest-farm.ts FOLDER NUMBER`. Says `ready`. */
import { createServer } from 'node:net';
import { join } from 'node:path';

import { createFakeGuest } from '../../kit/fake/index.ts';

const [directory = '', count = '0'] = process.argv.slice(2);

for (let index = 0; index < Number(count); index += 1) {
  const guest = await createFakeGuest({ machine: { host: { name: `guest${index}` } } }, { realTime: true });
  const server = createServer((socket) => {
    const end = guest.connect();
    socket.on('error', () => undefined).on('close', () => end.destroy()).pipe(end.on('error', () => undefined)).pipe(socket);
  });
  await new Promise<void>((resolve) => void server.listen(join(directory, `${index}.sock`), 512, resolve));
}
console.log('ready');

// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { SocketTransport } from '../../../adapters/linux/channels/socket-transport.ts';
import { unixListen } from '../../../adapters/linux/channels/unix-listen.ts';
import type { Connection } from '../../../core/ports/index.ts';
import { silentLog } from './silent-log.ts';

const lengths = [...Array.from({ length: 200 }, (_, length) => length), 1023, 4096, 65_535, 196_608, 1_000_001];
const bytesOf = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => (index * 2_654_435_761) >>> 11));

it('sends base64 of bytes of any length and alignment, between the texts that belong around it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'concierge-base64-'));
  const transport = new SocketTransport(unixListen(join(directory, 'socket')), { log: silentLog() });
  try {
    const connected = Promise.withResolvers<Connection>();
    await transport.open((connection) => {
      connection.start({ data: () => undefined, drained: () => undefined, hostChanged: () => undefined, closed: () => undefined });
      connected.resolve(connection);
    });
    const host = connect(join(directory, 'socket'));
    const chunks: Buffer[] = [];
    host.on('data', (chunk: Buffer) => chunks.push(chunk));
    const connection = await connected.promise;
    const sent = lengths.map((length, index) => {
      const memory = Buffer.concat([Buffer.alloc(index % 7), bytesOf(length)]);
      const bytes = memory.subarray(index % 7);
      connection.writeBase64?.(`<${length}>`, bytes, '</>\n');
      const text = `<${length}>${bytes.toString('base64')}</>\n`;
      memory.fill(0);
      return text;
    });
    connection.close();
    await new Promise((ended) => {
      host.once('close', ended);
    });

    expect(Buffer.concat(chunks).toString('latin1')).toBe(sent.join(''));
  } finally {
    await transport.close();
    rmSync(directory, { recursive: true });
  }
});

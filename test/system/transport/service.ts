// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Connection, Transport } from '../../../core/ports/index.ts';

/** What happened on one connection, and a service that answers each line with `<LINE>`. */
export interface Served {
  readonly connection: Connection;
  readonly happened: string[];
}

/** Opens the transport and serves whoever comes; each connection collects its own lines, as a session does. */
export async function serve(transport: Transport, answer = (line: string): string => `<${line}>\n`): Promise<readonly Served[]> {
  const served: Served[] = [];
  await transport.open((connection) => {
    const happened: string[] = [];
    served.push({ connection, happened });
    let text = '';
    connection.start({
      data(chunk) {
        text += Buffer.from(chunk).toString('latin1');
        for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
          const line = text.slice(0, end);
          text = text.slice(end + 1);
          happened.push(line);
          connection.write(answer(line));
        }
      },
      drained: () => happened.push('(drained)'),
      hostChanged: () => {
        text = '';
        happened.push('(host changed)');
      },
      closed: () => happened.push('(closed)'),
    });
  });
  return served;
}

/** A client of a Unix socket, once connected. */
export async function client(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

/** Sends a line and resolves to the line that comes back. */
export async function ask(socket: Socket, line: string): Promise<string> {
  socket.write(`${line}\n`);
  return receiveLine(socket);
}

export async function receiveLine(socket: Socket): Promise<string> {
  let text = '';
  while (!text.endsWith('\n')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    text += chunk.toString('latin1');
  }
  return text.slice(0, -1);
}

// SPDX-License-Identifier: Apache-2.0
import { isIP } from 'node:net';

import { UsageError } from '../usage-error.ts';

/** `[BIND:]PORT:HOST:HOSTPORT`, as ssh has it with -L. */
export interface Forward {
  /** Where this host listens; 0: any port that is free. */
  readonly bind: string;
  readonly port: number;
  /** Whereto the guest connects. */
  readonly host: string;
  readonly hostPort: number;
}

const LOOPBACK = '127.0.0.1';

/** An address of IPv6 has its colons in brackets. */
const part = String.raw`(\[[^\]]*\]|[^:[\]]*)`;
const shape = new RegExp(`^(?:${part}:)?${part}:${part}:${part}$`);

/** @throws UsageError */
export function forwardOf(given: string): Forward {
  const wrong = (why: string): UsageError => new UsageError(`${why} in '${given}': say [BIND:]PORT:HOST:HOSTPORT, as in 8080:localhost:80`);
  const [, ...parts] = shape.exec(given) ?? [];
  if (parts.length === 0) throw wrong(`there are not three or four parts${(given.match(/:/g) ?? []).length > 3 ? ', of which an address of IPv6 is one in brackets,' : ''}`);
  const [bind = LOOPBACK, port = '', host = '', hostPort = ''] = parts.map((one: string | undefined) => one?.replace(/^\[(.*)\]$/, '$1'));
  if (host === '') throw wrong('there is no host');
  if (host.startsWith('-') || !/^[\w.:%-]+$/.test(host)) throw wrong(`'${host}' is no host`);
  const address = bind === 'localhost' ? LOOPBACK : bind === '*' ? '::' : bind;
  if (isIP(address) === 0) throw wrong(`'${bind}' is no address of this host`);
  return { bind: address, port: portOf(port, 0, wrong), host, hostPort: portOf(hostPort, 1, wrong) };
}

function portOf(text: string, least: number, wrong: (why: string) => UsageError): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < least || port > 65_535) throw wrong(`'${text}' is no port`);
  return port;
}

/** `localhost:80`, `[::1]:80`. */
export const placeText = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, type AddressInfo } from 'node:net';

import { messageOf } from '../../core/errors/agent-error.ts';
import { ClientError } from '../client-error.ts';
import { UsageError } from './usage-error.ts';

/** OpenMetrics 1.0, section 4.1. */
const CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PATH = '/metrics';

/** Connections; Prometheus holds one for each server that scrapes. */
const MOST_CONNECTIONS = 16;
/** Bytes of a request's head, and milliseconds for it to come. */
const MOST_HEAD = 8 * 1024;
const HEAD_WITHIN = 10_000;
/** Milliseconds for whoever asked to take the answer. */
const TAKEN_WITHIN = 30_000;

/** Where it listens: `PORT` is that of the loopback address, any other is named: `ADDRESS:PORT`, `[ADDRESS]:PORT`. @throws UsageError */
export function placeToListen(given: string): { readonly host: string; readonly port: number } {
  const [, v6, v4 = '127.0.0.1', digits = ''] = /^(?:(?:\[([\da-f:.]+)\]|([\d.]+)):)?(\d{1,5})$/i.exec(given) ?? [];
  const [host, port] = [v6 ?? v4, Number(digits)];
  if (digits === '' || port > 65_535 || isIP(host) === 0) throw new UsageError(`--listen takes a port, or an address and a port, as in 9181 or 127.0.0.1:9181, not '${given}'`);
  return { host, port };
}

/** @param address as the system writes it, whatever was asked for: `::1` has many spellings */
const isLoopback = (address: string): boolean => /^(::ffff:)?127\./.test(address) || address === '::1';

/**
 * Tells of guests to whoever asks over HTTP, until it is given up. Who asks while guests are asked already gets that answer: however many ask,
 * every guest is asked once at a time, and there is one text for all of them. A connection brings one answer: who sends many requests at once and reads
 * nothing would have one made for each.
 *
 * @param text asks all guests
 * @param listening called with the URL when it is there
 */
export async function serveMetrics(given: string, text: () => Promise<string>, signal: AbortSignal, listening: (url: string) => void): Promise<void> {
  const { host, port } = placeToListen(given);
  let underWay: Promise<Buffer> | undefined;
  const once = (): Promise<Buffer> => (underWay ??= text().then((told) => Buffer.from(told)).finally(() => (underWay = undefined)));
  let isLocal = true;
  const server = createServer({ maxHeaderSize: MOST_HEAD, headersTimeout: HEAD_WITHIN, requestTimeout: HEAD_WITHIN, connectionsCheckingInterval: HEAD_WITHIN / 2 }, (request, response) => {
    void answer(request, response, isLocal, once);
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.maxRequestsPerSocket = 1;
  await opened(server, host, port);
  const { address, port: chosen, family } = server.address() as AddressInfo;
  isLocal = isLoopback(address);
  listening(`http://${family === 'IPv6' ? `[${address}]` : address}:${chosen}${PATH}`);
  await new Promise<void>((resolve) => {
    const stop = (): void => {
      server.close(() => resolve());
      server.closeAllConnections();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

function opened(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'somebody listens there already' : code === 'EACCES' ? 'this user is not permitted to' : code === 'EADDRNOTAVAIL' ? 'this host has no such address' : (code ?? message);
      reject(new ClientError('closed', `cannot listen at ${host}, port ${port}: ${why}`));
    });
    server.listen({ host, port }, resolve);
  });
}

async function answer({ method = '', url = '', headers }: IncomingMessage, response: ServerResponse, isLocal: boolean, text: () => Promise<Buffer>): Promise<void> {
  const refuse = (status: number, why: string, more: Readonly<Record<string, string>> = {}): void => {
    const body = `${why}\n`;
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(body), ...more }).end(method === 'HEAD' ? undefined : body);
  };
  // A page in a browser of this host could have a name of its own lead to the loopback address, and read what it may not.
  if (isLocal && !/^(localhost|127(\.\d{1,3}){3}|\[::1\]|\[::ffff:[\da-f.:]+\])(:\d+)?$/i.test(headers.host ?? '')) return refuse(403, 'this is for programs of this host, which ask for localhost');
  if (url.replace(/\?.*$/s, '') !== PATH) return refuse(404, `metrics are at ${PATH}`);
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'metrics are read', { Allow: 'GET, HEAD' });
  try {
    const body = method === 'HEAD' ? undefined : await text();
    const late = setTimeout(() => response.destroy(), TAKEN_WITHIN).unref();
    response.once('close', () => clearTimeout(late)).writeHead(200, { 'Content-Type': CONTENT_TYPE, ...(body === undefined ? {} : { 'Content-Length': body.length }) }).end(body);
  } catch (error) {
    refuse(503, messageOf(error));
  }
  return undefined;
}

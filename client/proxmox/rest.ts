// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import { JsonDecoder } from '../../core/protocol/json-decoder.ts';
import type { JsonValue } from '../../core/protocol/value.ts';
import { ClientError } from '../client-error.ts';

export interface ProxmoxHost {
  /** `https://pve1:8006`. */
  readonly url: string;
  /** `USER@REALM!NAME=SECRET`, as the interface shows it once when an API token is made. */
  readonly token: string;
  /** SHA-256 of the certificate (`pvenode cert info`): then this certificate and no other is trusted, whoever signed it. */
  readonly fingerprint?: string;
}

/** Bytes of an answer. Proxmox VE's own limit for what a program printed is 16 MiB; JSON may write a byte as six. */
const MOST_ANSWER = 96 * 1024 * 1024;

/** What the interface answered. */
export interface RestAnswer {
  readonly status: number;
  /** Proxmox VE tells what went wrong in the reason of the status line. */
  readonly reason: string;
  /** Absent where it is no JSON: errors of its proxy are none. */
  readonly body: JsonValue | undefined;
}

const digits = (fingerprint: string): string => fingerprint.replaceAll(/[^\da-f]/gi, '').toUpperCase();

/** @throws ClientError `misused` for what is no such place */
export function checkedHost({ url, token, fingerprint }: ProxmoxHost): { readonly host: string; readonly port: number } {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (error) {
    throw new ClientError('misused', `'${url}' is no URL: write https://HOST:8006`, { cause: error });
  }
  if (parsed.protocol !== 'https:' || parsed.pathname !== '/' || parsed.search !== '' || parsed.username !== '') throw new ClientError('misused', `the URL of Proxmox VE has the form https://HOST:8006, not '${url}'`);
  if (!/^[^\s!=:]+@[^\s!=:]+![\w.-]+=[\w-]+$/.test(token)) throw new ClientError('misused', 'an API token has the form USER@REALM!NAME=SECRET');
  if (fingerprint !== undefined && digits(fingerprint).length !== 64) throw new ClientError('misused', 'a fingerprint is the SHA-256 of the certificate, 32 bytes in hexadecimal: pvenode cert info tells it');
  return { host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'), port: parsed.port === '' ? 443 : Number(parsed.port) };
}

/**
 * One call of the REST interface. The token is sent when the certificate has been checked, not before.
 *
 * @throws ClientError `closed` when nobody is there or it is not who it should be, `too-large`, `garbage`
 */
export async function callRest(place: ProxmoxHost, method: 'GET' | 'POST', path: string, parameters: URLSearchParams, signal: AbortSignal): Promise<RestAnswer> {
  const { host, port } = checkedHost(place);
  const socket = await openTls(host, port, place.fingerprint, signal);
  const body = method === 'POST' ? parameters.toString() : '';
  const query = method === 'GET' && parameters.size > 0 ? `?${parameters.toString()}` : '';
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => socket, method, host, port, path: `/api2/json${path}${query}`, signal,
      headers: {
        Authorization: `PVEAPIToken=${place.token}`,
        Accept: 'application/json',
        Connection: 'close',
        ...(method === 'POST' ? { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) } : {}),
      },
    });
    request.once('response', resolve);
    request.once('error', (error) => reject(lost(host, port, error)));
    request.end(body);
  });
  return { status: response.statusCode ?? 0, reason: response.statusMessage ?? '', body: await bodyOf(response, host, port) };
}

const lost = (host: string, port: number, error: NodeJS.ErrnoException): ClientError =>
  new ClientError('closed', `the connection with Proxmox VE at ${host}:${port} broke: ${error.code ?? error.message}`, { cause: error });

function openTls(host: string, port: number, fingerprint: string | undefined, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), rejectUnauthorized: fingerprint === undefined });
    const give = (error: ClientError): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => give(new ClientError('aborted', 'the call was given up', { cause: signal.reason }));
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', (error: NodeJS.ErrnoException) => give(new ClientError('closed', `cannot connect to Proxmox VE at ${host}:${port}: ${whyNot(error)}`, { cause: error })));
    socket.once('secureConnect', () => {
      const seen = socket.getPeerCertificate().fingerprint256 as string | undefined ?? '';
      if (fingerprint !== undefined && digits(seen) !== digits(fingerprint)) return give(new ClientError('closed', `the certificate of ${host}:${port} has another fingerprint, ${seen}: it was renewed, or this is not the host that it should be`));
      signal.removeEventListener('abort', onAbort);
      return resolve(socket);
    });
    return undefined;
  });
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'there is no host of this name';
  // Proxmox VE signs its own certificate when it is installed.
  return code !== undefined && /CERT|SIGNED|ISSUER|ALTNAME/.test(code) ? `${message}: say which certificate it has, by its fingerprint` : (code ?? message);
}

async function bodyOf(response: IncomingMessage, host: string, port: number): Promise<JsonValue | undefined> {
  // Integers stay exact: nanoseconds since 1970 are more than a number holds.
  const decoder = new JsonDecoder();
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MOST_ANSWER) throw new ClientError('too-large', `an answer of more than ${MOST_ANSWER} bytes`);
      decoder.feed(chunk);
      decoder.retain();
    }
  } catch (error) {
    response.destroy();
    throw ClientError.is(error) ? error : lost(host, port, error as NodeJS.ErrnoException);
  }
  decoder.feed(Buffer.from('\n'));
  const decoded = decoder.next();
  return decoded?.kind === 'value' ? decoded.value : undefined;
}

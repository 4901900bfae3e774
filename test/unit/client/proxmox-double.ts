// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { GuestClient } from '../../../client/index.ts';
import type { FakeGuest } from '../../../kit/fake/index.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly parameters: URLSearchParams;
  readonly token: string | undefined;
}

/** What the interface says: a status, its reason, a body. */
export type Said = readonly [status: number, reason: string, body?: string];

export const token = 'backup@pve!concierge=01234567-89ab-cdef-0123-456789abcdef';

/** The REST interface of Proxmox VE before a fake guest, after its public documentation. */
export class ProxmoxDouble {
  readonly asked: Asked[] = [];
  /** Says something else than the interface would. */
  instead: ((asked: Asked) => Said | 'silence' | undefined) | undefined;
  readonly #directory: string;
  readonly #guest: FakeGuest;
  #server: Server | undefined;

  constructor(directory: string, guest: FakeGuest) {
    this.#directory = directory;
    this.#guest = guest;
  }

  async start(): Promise<this> {
    const [key, certificate] = [join(this.#directory, 'key.pem'), join(this.#directory, 'cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=pve1'], { stdio: 'ignore' });
    this.#server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
      void this.#answer(request).then((said) => {
        if (said === 'silence') return;
        const [status, reason, body = '{"data":null}'] = said;
        response.writeHead(status, reason, { 'Content-Type': 'application/json' });
        response.end(body);
      });
    });
    await new Promise<void>((resolve) => void this.#server?.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server?.address() as AddressInfo | undefined)?.port ?? 0}`;
  }

  get fingerprint(): string {
    return new X509Certificate(readFileSync(join(this.#directory, 'cert.pem'))).fingerprint256;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise<void>((resolve) => void this.#server?.close(() => resolve()));
  }

  async #answer(request: IncomingMessage): Promise<Said | 'silence'> {
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
    const url = new URL(request.url ?? '/', 'https://pve');
    const asked: Asked = {
      method: request.method ?? '', path: url.pathname.replace('/api2/json', ''),
      parameters: request.method === 'GET' ? url.searchParams : new URLSearchParams(body),
      token: request.headers.authorization?.replace(/^PVEAPIToken=/, ''),
    };
    this.asked.push(asked);
    const instead = this.instead?.(asked);
    if (instead !== undefined) return instead;
    if (asked.token !== token) return [401, 'invalid token value!'];
    const [, vmid, command = ''] = /^\/nodes\/pve1\/qemu\/(\d+)\/agent\/([\w-]+)$/.exec(asked.path) ?? [];
    if (vmid === undefined) return [501, `Method '${asked.method} ${asked.path}' not implemented`];
    if (vmid !== '104') return [500, `Configuration file 'nodes/pve1/qemu-server/${vmid}.conf' does not exist`];
    return await this.#ofAgent(command, asked.parameters);
  }

  async #ofAgent(command: string, parameters: URLSearchParams): Promise<Said> {
    using client = new GuestClient(this.#guest.connect());
    const raw = async (name: string, args: object = {}): Promise<unknown> => await client.executeRaw(name, JSON.stringify(args));
    const data = (value: unknown): Said => [200, 'OK', JSON.stringify({ data: value }, (_key, one: unknown) => (one instanceof Map ? Object.fromEntries(one as Map<string, unknown>) : typeof one === 'bigint' ? `#${one}#` : one)).replaceAll(/"#(-?\d+)#"/g, '$1')];
    const plain = (base64: string | undefined): string | undefined => (base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('latin1'));
    try {
      switch (command) {
        case 'exec': {
          const [path = '', ...arg] = parameters.getAll('command');
          const input = parameters.get('input-data');
          return data(await raw('guest-exec', { path, arg, 'capture-output': true, ...(input === null ? {} : { 'input-data': Buffer.from(input).toString('base64') }) }));
        }
        case 'exec-status': {
          const status = await client.execute('guest-exec-status', { pid: BigInt(parameters.get('pid') ?? '0') });
          return data({ ...status, exited: status.exited ? 1 : 0, 'out-data': plain(status['out-data']), 'err-data': plain(status['err-data']) });
        }
        default:
          return data({ result: await raw(`guest-${command}`) });
      }
    } catch (error) {
      return [500, `Agent error: ${(error as Error).message}`];
    }
  }
}

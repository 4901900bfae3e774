// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import type { EventEmitter } from 'node:events';

import { runProgram } from '../../../../client/cli/program.ts';
import { createFakeGuest, type FakeGuest, type Scenario } from '../../../../kit/fake/index.ts';
import type { Told } from './ctl.ts';

/** Fake guests behind sockets, and the list that names them. */
export class FakeGuests {
  readonly directory: string;
  readonly list: string;
  readonly guests = new Map<string, FakeGuest>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Map<string, Set<Socket>>();

  private constructor(directory: string) {
    this.directory = directory;
    this.list = join(directory, 'guests.conf');
  }

  /** @param realTime false: their clocks stand until a test moves them */
  static async of(scenarios: Readonly<Record<string, Scenario>>, more = '', realTime = true): Promise<FakeGuests> {
    const fake = new FakeGuests(await mkdtemp(join(tmpdir(), 'concierge-guests-')));
    let list = '# Guests of a test\n';
    for (const [name, scenario] of Object.entries(scenarios)) {
      const guest = await createFakeGuest({ machine: { host: { name } }, ...scenario }, { realTime });
      fake.guests.set(name, guest);
      const path = join(fake.directory, `${name}.sock`);
      const sockets = new Set<Socket>();
      fake.#sockets.set(name, sockets);
      const server = createServer((socket) => {
        sockets.add(socket);
        const end = guest.connect();
        socket.on('error', () => undefined).on('close', () => end.destroy()).pipe(end.on('error', () => undefined)).pipe(socket);
      });
      fake.#servers.push(server);
      await new Promise<void>((resolve) => void server.listen(path, resolve));
      list += `\n[${name}]\nsocket = ${path}\n`;
    }
    await writeFile(fake.list, list + more, { mode: 0o600 });
    return fake;
  }

  guest(name: string): FakeGuest {
    const guest = this.guests.get(name);
    if (guest === undefined) throw new Error(`no guest ${name}`);
    return guest;
  }

  /** The host's connections with a guest break. */
  cut(name: string): void {
    for (const socket of this.#sockets.get(name) ?? []) socket.destroy();
  }

  async ctl(words: readonly string[], { environment = {}, signals }: { readonly environment?: Readonly<Record<string, string>>; readonly signals?: EventEmitter } = {}): Promise<Told> {
    const texts = ['', ''];
    const [out, err] = [0, 1].map((index) => new Writable({
      write(chunk: Buffer | string, _encoding, done) {
        texts[index] += String(chunk);
        done();
      },
    })) as [Writable, Writable];
    const status = await runProgram({
      words, environment: { CONCIERGE_GUESTS: this.list, ...environment }, version: '', stdin: Readable.from([]), stdout: out, stderr: err, isWatched: false,
      ...(signals === undefined ? {} : { signals }),
    });
    return { status, out: texts[0] ?? '', err: texts[1] ?? '' };
  }

  async close(): Promise<void> {
    for (const sockets of this.#sockets.values()) for (const socket of sockets) socket.destroy();
    for (const server of this.#servers) server.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

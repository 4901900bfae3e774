// SPDX-License-Identifier: Apache-2.0
import type { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';

import { runProgram } from '../../../../client/cli/program.ts';
import { GuestClient } from '../../../../client/index.ts';
import { createFakeGuest, type FakeGuest, type FakeGuestOptions, type Scenario } from '../../../../kit/fake/index.ts';

export interface Told {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export interface CtlOptions extends FakeGuestOptions {
  readonly input?: string;
  readonly watched?: boolean;
  /** Standard output is a terminal. */
  readonly screen?: boolean;
  /** Standard input is a terminal. */
  readonly typed?: boolean;
  readonly signals?: EventEmitter;
  readonly environment?: Readonly<Record<string, string>>;
}

const collector = () => {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer | string, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
};

/** concierge-ctl with this command line on a fake guest. */
export async function ctlOn(guest: FakeGuest, words: readonly string[], options: CtlOptions = {}): Promise<Told> {
  return ctlWith(async () => new GuestClient(guest.connect(), { timeoutMs: 1000 }), words, options);
}

/** concierge-ctl with this command line, on whatever guest it connects to. */
export async function ctlWith(connect: () => Promise<GuestClient>, words: readonly string[], { input = '', watched = false, screen = false, typed = false, signals, environment = {} }: CtlOptions = {}): Promise<Told> {
  const [out, err] = [collector(), collector()];
  const status = await runProgram({
    words,
    environment,
    version: '1.2.3',
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    stdout: out.stream,
    stderr: err.stream,
    isWatched: watched,
    isScreen: screen,
    isTyped: typed,
    ...(signals === undefined ? {} : { signals }),
    connect,
  });
  return { status, out: out.text(), err: err.text() };
}

export async function ctl(words: readonly string[], scenario: Scenario = {}, options: CtlOptions = {}): Promise<Told> {
  return ctlOn(await createFakeGuest(scenario, { realTime: true, ...options }), words, options);
}

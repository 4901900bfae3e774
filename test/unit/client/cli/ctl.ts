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
export async function ctlOn(guest: FakeGuest, words: readonly string[], { input = '', watched = false }: CtlOptions = {}): Promise<Told> {
  const [out, err] = [collector(), collector()];
  const status = await runProgram({
    words,
    environment: {},
    version: '1.2.3',
    stdin: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    stdout: out.stream,
    stderr: err.stream,
    isWatched: watched,
    connect: async () => new GuestClient(guest.connect(), { timeoutMs: 1000 }),
  });
  return { status, out: out.text(), err: err.text() };
}

export async function ctl(words: readonly string[], scenario: Scenario = {}, options: CtlOptions = {}): Promise<Told> {
  return ctlOn(await createFakeGuest(scenario, { realTime: true, ...options }), words, options);
}

// SPDX-License-Identifier: Apache-2.0
/** The program itself, killed, interrupted, cut off and deceived at every step of `frozen`, with one guest and with three. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { GuestClient } from '../../../../client/index.ts';
import { createFakeGuest, type FakeGuest } from '../../../../kit/fake/index.ts';
import { Relay, type Passage } from '../relay.ts';

const report = '__org.concierge_fsfreeze-report';
const theCommand = 'the command';

/** One moment in the conversation with one guest. */
type Moment = readonly [command: string, nth: number, phase: Passage['phase'] | 'meanwhile'];

/** What is said to each guest, in this order, where all goes well; and the command of the host. */
const steps: readonly (readonly [command: string, nth: number])[] = [
  ['guest-sync-delimited', 1], ['guest-fsfreeze-freeze', 1], [report, 1], [report, 2], [theCommand, 1],
  ['guest-fsfreeze-status', 1], [report, 3], ['guest-fsfreeze-thaw', 1],
];
const requests = steps.filter(([name]) => name !== theCommand);
const momentsOf = (phases: readonly Passage['phase'][]): readonly Moment[] =>
  steps.flatMap(([name, nth]): readonly Moment[] => (name === theCommand ? [[name, nth, 'meanwhile']] : phases.map((phase) => [name, nth, phase])));

const faults = ['is killed', 'is interrupted', 'loses the connection', 'is deceived: somebody thaws'] as const;
type Fault = (typeof faults)[number];

const deadlineMs = 600_000;

let program: string;
let programs: string;

beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'concierge-ctl-program-'));
  program = join(programs, 'main.mjs');
  // One file starts in half the time, and there are hundreds of starts.
  await build({ entryPoints: [join(import.meta.dirname, '../../../../client/cli/main.ts')], outfile: program, bundle: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'error' });
});

afterAll(() => rm(programs, { recursive: true, force: true }));

/** Guests whose clocks stand still, each behind a relay and a socket. */
class Guests implements AsyncDisposable {
  readonly #directory: string;
  readonly #servers: Server[] = [];
  readonly all: { readonly name: string; readonly guest: FakeGuest; readonly relay: Relay }[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async of(names: readonly string[]): Promise<Guests> {
    const guests = new Guests(await mkdtemp(join(tmpdir(), 'concierge-steps-')));
    for (const name of names) {
      const guest = await createFakeGuest({}, { freezeTimeoutMs: deadlineMs });
      const relay = new Relay();
      guests.all.push({ name, guest, relay });
      const server = createServer((socket) => relay.between(socket, guest.connect()));
      guests.#servers.push(server);
      await new Promise<void>((resolve) => void server.listen(guests.path(`${name}.sock`), resolve));
    }
    await writeFile(guests.path('guests.conf'), names.map((name) => `[${name}]\nsocket = ${guests.path(`${name}.sock`)}\n`).join(''), { mode: 0o600 });
    return guests;
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  frozen(): readonly number[] {
    return this.all.map(({ guest }) => guest.machine.fileSystems.frozen.length);
  }

  /** Whether all stand still, by the only freeze that there was. */
  areHeld(): boolean {
    return this.all.every(({ guest }) => {
      const called = guest.log.texts('account');
      return guest.machine.fileSystems.frozen.length === 4 && called.at(-1) === 'guest-fsfreeze called' && called.indexOf('guest-fsfreeze called') === called.length - 1;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    // The command of one that was killed may not have begun yet: it finds its folder gone, or is a moment faster.
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly err: string;
  /** The command ran from its beginning to its end, and all guests stood still meanwhile. */
  readonly isConsistent: boolean;
}

/** Runs concierge-ctl, and `strike` at one moment of the conversation with the second of three guests, or with the only one. */
async function frozenWith(guests: Guests, [at, nth, phase]: Moment | readonly [], fault: Fault | undefined): Promise<Ended> {
  const [flags, struck] = guests.all.length === 1 ? [['--socket', guests.path('a.sock')], guests.all[0]] : [['--guests', guests.path('guests.conf')], guests.all[1]];
  const [began, goOn, ended] = ['began', 'go-on', 'ended'].map((name) => guests.path(name)) as [string, string, string];
  // A copy that takes until it is told to be ready; it ends by itself when nobody tells it any more.
  const copy = `touch ${began}; while [ ! -e ${goOn} ]; do [ -d ${guests.path('.')} ] || exit 1; sleep 0.01; done; touch ${ended}`;
  const child = spawn(process.execPath, [program, ...flags, 'frozen', '--', '/bin/sh', '-c', copy], { stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;

  const strike = async (): Promise<'pass' | 'cut'> => {
    if (fault === 'loses the connection') return 'cut';
    if (fault === 'is killed') child.kill('SIGKILL');
    if (fault === 'is interrupted') child.kill('SIGINT');
    if (fault === 'is deceived: somebody thaws' && struck !== undefined) {
      using other = new GuestClient(struck.guest.connect());
      await other.execute('guest-fsfreeze-thaw');
    }
    return 'pass';
  };
  if (struck !== undefined) struck.relay.judge = (passage: Passage) => (passage.command === at && passage.nth === nth && passage.phase === phase ? strike() : 'pass');
  let wasHeld = false;
  while (child.exitCode === null && child.signalCode === null && !existsSync(began)) await Promise.race([exit, new Promise((resolve) => setTimeout(resolve, 5))]);
  if (existsSync(began)) {
    wasHeld = guests.areHeld();
    if (at === theCommand && (await strike()) === 'cut') struck?.relay.cut();
    wasHeld &&= guests.areHeld();
    await writeFile(goOn, '');
  }
  const [status, signal] = await exit;
  // Nobody ends the command of one that was killed: it comes to its own end.
  if (signal === 'SIGKILL' && existsSync(began)) {
    await writeFile(goOn, '');
    while (!existsSync(ended)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { status, signal, err, isConsistent: wasHeld && existsSync(ended) };
}

describe.each([
  [['a'], momentsOf(['request', 'answer'])],
  [['a', 'b', 'c'], momentsOf(['answer'])],
] as const)('frozen with the guests %j', { concurrent: true, timeout: 120_000 }, (names, moments) => {
  it('says to each what the table of these tests says, and ends with the status of the command', async () => {
    await using guests = await Guests.of(names);

    const ended = await frozenWith(guests, [], undefined);

    expect(ended).toMatchObject({ status: 0, signal: null, isConsistent: true });
    for (const { relay } of guests.all) expect(relay.commands).toEqual(requests.map(([name]) => name));
    expect(guests.frozen()).toEqual(names.map(() => 0));
  });

  describe.each(faults)('%s', { concurrent: true }, (fault) => {
    it.each(moments)('at %s, the %i. (%s): nothing stays frozen, and no copy passes for a good one', async (...moment) => {
      await using guests = await Guests.of(names);

      const { status, signal, isConsistent, err } = await frozenWith(guests, moment, fault);

      if (fault === 'is killed') expect([status, signal]).toEqual([null, 'SIGKILL']);
      // Who is killed leaves the thaw to the guests: what was on its way may still freeze one.
      else expect({ frozen: guests.frozen(), status, signal, err }).toEqual({ frozen: names.map(() => 0), status: expect.any(Number) as unknown, signal: null, err });
      if (status === 0) expect({ isConsistent, err }).toEqual({ isConsistent: true, err: expect.any(String) as unknown });
      for (const { guest } of guests.all) await guest.advance(deadlineMs);
      expect(guests.frozen()).toEqual(names.map(() => 0));
    });
  });
});

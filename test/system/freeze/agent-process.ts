// SPDX-License-Identifier: Apache-2.0
/**
 * An agent with nothing but its freeze: the real backend, store and controller, told what to do by lines on standard
 * input, and answering each with a line of JSON. With a place to die at, it kills itself there as SIGKILL would.
 */
import { spawnSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { linuxClock } from '../../../adapters/linux/facts/clock.ts';
import { LinuxFreezing } from '../../../adapters/linux/freeze/freezing.ts';
import { linuxHooks } from '../../../adapters/linux/programs/hooks.ts';
import { FileStateStore } from '../../../adapters/state-store/state-store.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { FreezeController } from '../../../core/freeze/controller.ts';
import type { FreezeSession, Freezing, StateStore } from '../../../core/ports/index.ts';
import { fenced } from './fenced.ts';

export interface AgentSetup {
  readonly stateDirectory: string;
  readonly deadlineMs?: number;
  readonly withinMs?: number;
  readonly flushLimitMs?: number;
  readonly hookDirectory?: string;
  readonly guardianPath?: string;
  /** A shell command for the moment between the flush and the freeze. */
  readonly afterFlush?: string;
  /** `after:writeFreezeMarker`, `before:freeze`, `half:freeze`, `after:freeze`, `half:thaw` … */
  readonly dieAt?: string;
}

const setup = JSON.parse(process.argv[2] ?? '{}') as AgentSetup;

const dieAt = (place: string): void => {
  if (setup.dieAt === place) process.kill(process.pid, 'SIGKILL');
};

/** Dies around a call: before it, in the middle (once it is on its way) or after it. */
async function around<T>(name: string, call: () => Promise<T>): Promise<T> {
  dieAt(`before:${name}`);
  const pending = call();
  if (setup.dieAt === `half:${name}`) {
    // The request has left this process once the event loop went round.
    await setImmediate();
    dieAt(`half:${name}`);
  }
  const value = await pending;
  dieAt(`after:${name}`);
  return value;
}

const mortalSession = (session: FreezeSession): FreezeSession => ({
  recoveryData: session.recoveryData,
  remarks: session.remarks ?? [],
  ended: session.ended,
  flush: () => around('flush', async () => {
    await session.flush();
    if (setup.afterFlush !== undefined) spawnSync('sh', ['-c', setup.afterFlush]);
  }),
  freeze: () => around('freeze', () => session.freeze()),
  thaw: () => around('thaw', () => session.thaw()),
});

const freezing = fenced(new LinuxFreezing({
  flushLimitMs: setup.flushLimitMs ?? 20_000,
  ...(setup.guardianPath !== undefined && { guardianPath: setup.guardianPath }),
}));
const mortalFreezing: Freezing = {
  survey: () => around('survey', () => freezing.survey()),
  begin: (request) => around('begin', async () => mortalSession(await freezing.begin(request))),
  recover: async (marker) => {
    const session = await freezing.recover(marker);
    return session && mortalSession(session);
  },
  thawEverything: (only, except) => around('thawEverything', () => freezing.thawEverything(only, except)),
};

const store = new FileStateStore({ directory: setup.stateDirectory, warn: () => {} });
const mortalStore: StateStore = {
  directory: store.directory,
  reserveHandles: (count) => store.reserveHandles(count),
  writeFreezeMarker: (marker) => around(marker.targets.length === 0 ? 'writeHookMarker' : 'writeFreezeMarker', () => store.writeFreezeMarker(marker)),
  removeFreezeMarker: () => around('removeFreezeMarker', () => store.removeFreezeMarker()),
  readFreezeMarker: () => store.readFreezeMarker(),
  bootId: () => store.bootId(),
};

const log = new FakeLog();
const controller = new FreezeController({
  freezing: mortalFreezing,
  hooks: linuxHooks({ directory: setup.hookDirectory ?? '', timeLimitMs: 20_000 }),
  stateStore: mortalStore,
  log,
  clock: linuxClock(),
  settings: { deadlineMs: setup.deadlineMs ?? 60_000, withinMs: setup.withinMs ?? 30_000, excluded: ['/'], unknownMountPoints: 'error' },
});

const say = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? String(one) : one))}\n`);
};

/** Bytes of the heap that are really in use: collected as far as it goes. */
function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What the log of the test keeps grows by intent.
  log.lines.length = 0;
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

async function obey(line: string): Promise<unknown> {
  const [verb, ...words] = line.split(' ');
  switch (verb) {
    case 'plan': return (await controller.plan(words.length > 0 ? words : undefined));
    case 'freeze': return controller.freeze(words.length > 0 ? words : undefined);
    case 'thaw': return controller.thaw();
    case 'thaw-left-behind': return controller.thawLeftBehind();
    case 'status': return { status: controller.status, gate: controller.isFrozen };
    case 'report': return controller.report();
    case 'log': return log.texts();
    case 'pid': return { pid: process.pid };
    case 'memory': return heapInUse();
    case 'block-pool':
      // A FIFO without a writer: each open waits in a thread of libuv's for ever.
      spawnSync('mkfifo', [words[0] ?? '']);
      for (let blocked = 0; blocked < 4; blocked += 1) void open(words[0] ?? '', 'r');
      return 'blocked';
    case 'spin':
      await new Promise((resolve) => process.stdout.write('"spinning"\n', resolve));
      for (;;);
    default: throw new Error(`unknown order ${line}`);
  }
}

await controller.recoverAtStart();
say({ status: controller.status, pid: process.pid });
for await (const line of createInterface({ input: process.stdin })) {
  say(await obey(line).catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) })));
}
await controller.thawBeforeExit();
process.exit(0);

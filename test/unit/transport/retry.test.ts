// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackOff } from '../../../adapters/channels/back-off.ts';
import { pathAppears } from '../../../adapters/linux/channels/path-appears.ts';
import { RetryingTransport } from '../../../adapters/channels/retry.ts';
import type { Transport } from '../../../core/ports/index.ts';
import { silentLog } from './silent-log.ts';
import { until } from './until.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'retry-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

describe('waiting for a path', () => {
  it('ends when it appears in a directory that exists', async () => {
    const path = join(scratch, 'port');
    const appeared = pathAppears(path, new AbortController().signal);

    writeFileSync(path, '');

    await expect(appeared).resolves.toBeUndefined();
  });

  it('follows directories that appear one after the other', async () => {
    const appeared = pathAppears(join(scratch, 'virtio-ports', 'deeper', 'port'), new AbortController().signal);

    mkdirSync(join(scratch, 'made', 'deeper'), { recursive: true });
    writeFileSync(join(scratch, 'made', 'deeper', 'port'), '');
    renameSync(join(scratch, 'made'), join(scratch, 'virtio-ports'));

    await expect(appeared).resolves.toBeUndefined();
  });

  it('ends when it is called off', async () => {
    const stopped = new AbortController();
    const appeared = pathAppears(join(scratch, 'never'), stopped.signal);

    stopped.abort();

    await expect(appeared).resolves.toBeUndefined();
  });
});

/** Opens as the test says; what is lost is told by `lose`. */
class ScriptedTransport implements Transport {
  readonly description = 'scripted /dev/port';
  readonly lost: Promise<Error>;
  lose: (error: Error) => void = () => {};
  closed = false;
  readonly #failure: string | undefined;

  constructor(failure?: string) {
    this.#failure = failure;
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  async open(): Promise<void> {
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** Hands out the transports in order and tells when each is asked for. */
function script(...transports: ScriptedTransport[]): { first: Transport; create: () => Promise<Transport>; created: () => number } {
  let next = 0;
  const take = (): Transport => {
    const transport = transports[next];
    if (transport === undefined) throw new Error('the script has ended');
    next += 1;
    return transport;
  };
  return { first: take(), create: async () => take(), created: () => next };
}

/** What waiting for a device is on Linux. */
const appearsAt = (path: string) => async (signal: AbortSignal): Promise<boolean> => {
  if (existsSync(path)) return false;
  await pathAppears(path, signal);
  return true;
};

describe('a channel that is retried', () => {
  it('is no failure at the start, and is opened when its device appears', async () => {
    const path = join(scratch, 'port');
    const { created, ...attempts } = script(new ScriptedTransport('no such port'), new ScriptedTransport());
    const log = silentLog();
    const transport = new RetryingTransport({ ...attempts, appears: appearsAt(path), log });

    await transport.open(() => {});
    writeFileSync(path, '');

    await until(() => created() === 2);
    expect(log.lines).toEqual(['warning: no such port; trying again until it works']);
    await transport.close();
  });

  it('closes a channel that was lost and opens it afresh when the device is back', async () => {
    const path = join(scratch, 'port');
    const first = new ScriptedTransport();
    const { created, ...attempts } = script(first, new ScriptedTransport());
    const transport = new RetryingTransport({ ...attempts, appears: appearsAt(path), log: silentLog() });
    await transport.open(() => {});

    first.lose(new Error('No such device'));
    await until(() => first.closed);
    writeFileSync(path, '');

    await until(() => created() === 2);
    await transport.close();
  });

  it('tries a device that is there but cannot be opened again and again, and says so once', async () => {
    const busy = Array.from({ length: 4 }, () => new ScriptedTransport('Device or resource busy'));
    const { created, ...attempts } = script(...busy, new ScriptedTransport());
    const log = silentLog();
    const transport = new RetryingTransport({ ...attempts, appears: appearsAt(scratch), log, backOff: new BackOff(1, 2) });

    await transport.open(() => {});

    await until(() => created() === 5);
    expect(log.lines).toEqual(['warning: Device or resource busy; trying again until it works']);
    await transport.close();
  });

  it('tells how the channel is, and why it is not open', async () => {
    const first = new ScriptedTransport();
    const { created, ...attempts } = script(new ScriptedTransport('no such port'), first, new ScriptedTransport());
    const states: string[] = [];
    const transport = new RetryingTransport({ ...attempts, log: silentLog(), backOff: new BackOff(1, 2), channelIs: (state) => states.push(state) });
    await transport.open(() => {});
    await until(() => created() === 2);

    first.lose(new Error('No such device'));

    await until(() => states.length === 4);
    const serving = `Serving ${transport.description}`;
    expect(states).toEqual(['Waiting: no such port', serving, 'Waiting: No such device', serving]);
    await transport.close();
  });

  it('closes what is opened after it was closed', async () => {
    const second = new ScriptedTransport();
    const made = Promise.withResolvers<Transport>();
    const asked = Promise.withResolvers<void>();
    const create = (): Promise<Transport> => {
      asked.resolve();
      return made.promise;
    };
    const transport = new RetryingTransport({ first: new ScriptedTransport('no such port'), create, log: silentLog(), backOff: new BackOff(1, 2) });
    let opened = false;
    second.open = async () => {
      opened = true;
    };
    await transport.open(() => {});
    await asked.promise;

    await transport.close();
    made.resolve(second);
    await made.promise;
    await new Promise(setImmediate);

    expect(opened).toBe(false);
  });

  it('takes a transport that breaks its word about its loss for lost', async () => {
    const broken = new ScriptedTransport();
    Object.defineProperty(broken, 'lost', { value: Promise.reject(new Error('bus error')) });
    const log = silentLog();
    const next = Promise.withResolvers<void>();
    const transport = new RetryingTransport({
      first: broken,
      create: async () => {
        next.resolve();
        return new ScriptedTransport();
      },
      log,
      backOff: new BackOff(1, 2),
    });

    await transport.open(() => {});
    await next.promise;

    expect(log.lines).toEqual(['warning: scripted /dev/port is lost: bus error; waiting for it to come back']);
    await transport.close();
  });

  it('stops waiting when it is closed', async () => {
    const { created, ...attempts } = script(new ScriptedTransport('no such port'));
    const transport = new RetryingTransport({ ...attempts, appears: appearsAt(join(scratch, 'never')), log: silentLog() });
    await transport.open(() => {});

    await transport.close();

    expect(created()).toBe(1);
  });
});

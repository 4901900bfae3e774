// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { GuestClient } from '../../../client/index.ts';
import { ctlWith, type Told } from '../../unit/client/cli/ctl.ts';
import { scriptedAgent } from '../../unit/client/scripted-agent.ts';

interface Lies {
  /** What the guest's tar writes from an offset on; nothing where there is no more. */
  readonly output?: (offset: number, size: number) => Buffer | undefined;
  /** It ends when all was written. */
  readonly exits?: boolean;
  /** How it ends. */
  readonly status?: number;
  /** The kind of tar is told. */
  readonly tells?: boolean;
  /** It ends when it is killed. */
  readonly obeys?: boolean;
}

const kind = Buffer.from('tar (GNU tar) 1.34\n');

/** A guest in which programs say what a test wants. */
function lyingGuest({ output = () => undefined, exits = true, status = 0, tells = true, obeys = true }: Lies): { readonly client: GuestClient; readonly exchanges: () => number; readonly signals: () => readonly unknown[] } {
  let last = 0;
  let exchanges = 0;
  const signals: unknown[] = [];
  const agent = scriptedAgent({
    answer: (name, id) => {
      const args = agent.arguments.at(-1) as { program?: number; signal?: unknown; size: number; 'output-offset'?: number; 'input-offset'?: number };
      if (name === '__org.concierge_exec-start') {
        last += 1;
        return `{"return": {"program": ${last}, "pid": ${last}}${id}}\n`;
      }
      if (name === '__org.concierge_exec-signal') signals.push(args.signal);
      if (name !== '__org.concierge_exec-exchange') return `{"return": {}${id}}\n`;
      exchanges += 1;
      const at = args['output-offset'] ?? 0;
      const isFirst = args.program === 1;
      const isKilled = obeys && signals.length > 0;
      const bytes = isKilled ? undefined : isFirst ? (at < kind.length ? kind.subarray(at) : undefined) : output(at, args.size);
      const ended = isKilled || (bytes === undefined && (!isFirst || tells));
      const exited = isKilled || (ended && (isFirst || exits));
      return `${JSON.stringify({
        return: {
          'input-accepted': args['input-offset'] ?? 0, 'input-ended': false,
          output: (bytes ?? Buffer.alloc(0)).toString('base64'), 'output-offset': at, 'output-ended': ended,
          errors: '', 'errors-offset': 0, 'errors-ended': ended, exited, ...(exited ? { exitcode: isFirst ? 0 : status } : {}),
        },
      }).slice(0, -1)}${id}}\n`;
    },
  });
  return { client: new GuestClient(agent.host, { timeoutMs: 10_000 }), exchanges: () => exchanges, signals: () => signals };
}

describe.skipIf(platform() !== 'linux')('a folder out of a guest that lies (needs Linux, tar)', () => {
  let directory: string;
  let small: Buffer;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-lies-'));
    mkdirSync(join(directory, 'source'));
    writeFileSync(join(directory, 'source', 'file'), 'some text');
    small = execFileSync('tar', ['-c', '-b', '1', '-C', join(directory, 'source'), '.']);
    mkdirSync(join(directory, 'to'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const cp = (guest: { readonly client: GuestClient }, words: readonly string[], signals?: EventEmitter): Promise<Told> =>
    ctlWith(async () => guest.client, ['cp', '-r', ...words], signals === undefined ? {} : { signals });

  it('takes no more than it is told to behind the end of an archive', async () => {
    const guest = lyingGuest({ output: (at, size) => (at < small.length ? small.subarray(at, at + size) : Buffer.alloc(size)) });

    const told = await cp(guest, ['--max-size', '3M', 'guest:/a', join(directory, 'to', 'a')]);

    expect(told).toEqual({ status: 1, out: '', err: 'concierge-ctl: the guest sends more than --max-size 3M\n' });
    expect(readdirSync(join(directory, 'to'))).toEqual([]);
  });

  it('takes no more than it is told to of what is left out', async () => {
    symlinkSync('/etc/passwd', join(directory, 'source', 'link'));
    const link = execFileSync('tar', ['-c', '-b', '1', '-C', join(directory, 'source'), './link']).subarray(0, 512);
    const guest = lyingGuest({ output: (at, size) => Buffer.alloc(Math.max(512, size - (size % 512)), link).subarray(at % 512) });

    const told = await cp(guest, ['--max-size', '3M', 'guest:/a', join(directory, 'to', 'a')]);

    expect(told.status).toBe(1);
    expect(told.err).toMatch(/\nconcierge-ctl: \d+ more were left out\nconcierge-ctl: the guest sends more than --max-size 3M\n$/);
    expect(told.err.split('\n').filter((line) => line.includes('it is a link that leads out'))).toHaveLength(1000);
    expect(readdirSync(join(directory, 'to'))).toEqual([]);
  });

  it.each([
    ['has sent all and never ends', { output: (at: number, size: number) => (at < small.length ? small.subarray(at, at + size) : undefined), exits: false, obeys: false }, 6],
    ['does not say what its tar is', { tells: false }, 3],
  ])('is given up by Ctrl-C where the program in the guest %s', async (_how, lies, after) => {
    const guest = lyingGuest(lies);
    const signals = new EventEmitter();

    const copying = cp(guest, ['guest:/a', join(directory, 'to', 'a')], signals);
    await vi.waitFor(() => expect(guest.exchanges()).toBeGreaterThan(after), { timeout: 60_000 });
    signals.emit('SIGINT');

    expect(await copying).toEqual({ status: 130, out: '', err: 'concierge-ctl: the copy was given up\n' });
    expect(guest.signals()).toEqual(['KILL']);
    expect(readdirSync(join(directory, 'to'))).toEqual([]);
  });

  it('says what the guest says where that ends before all was sent', async () => {
    writeFileSync(join(directory, 'source', 'large'), Buffer.alloc(8 * 1024 * 1024, 'x'));
    const guest = lyingGuest({ status: 3 });

    expect(await cp(guest, [join(directory, 'source'), 'guest:/a'])).toEqual({
      status: 1, out: '', err: 'concierge-ctl: /a cannot be written in the guest: it is there already, or is a folder that has source in it, and nothing is replaced\n',
    });
  });

  it('is given up by Ctrl-C where all was sent into the guest, and its program never ends', async () => {
    const guest = lyingGuest({ exits: false });
    const signals = new EventEmitter();

    const copying = cp(guest, [join(directory, 'source'), 'guest:/a'], signals);
    await vi.waitFor(() => expect(guest.exchanges()).toBeGreaterThan(6), { timeout: 60_000 });
    signals.emit('SIGINT');

    expect(await copying).toEqual({ status: 130, out: '', err: 'concierge-ctl: the copy was given up\n' });
    expect(existsSync(join(directory, 'source', 'file'))).toBe(true);
  });
});

// SPDX-License-Identifier: Apache-2.0
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { addonPath, nativeAddon, type NativeAddon } from '../../../adapters/linux/native.ts';
import { scratchDirectory, tree } from './support/scratch.ts';

describe('finding the addon', () => {
  it('prefers the one beside the running file', () => {
    const directory = scratchDirectory();
    tree(directory, { 'lib/concierge.node': '', 'build/Release/concierge.node': '' });

    expect(addonPath(join(directory, 'lib'))).toBe(join(directory, 'lib', 'concierge.node'));
  });

  it('looks upwards for a build folder', () => {
    const directory = scratchDirectory();
    tree(directory, { 'adapters/linux/native.ts': '', 'build/Release/concierge.node': '' });

    expect(addonPath(join(directory, 'adapters', 'linux'))).toBe(join(directory, 'build', 'Release', 'concierge.node'));
  });

  it('says what to do where there is none', () => {
    expect(() => addonPath('/proc')).toThrow(/^the native addon is missing: .*npm run build:native\)$/);
  });
});

describe('the addon', () => {
  it('reads and writes small files, and refuses one that is too long', async () => {
    const path = join(scratchDirectory(), 'file');
    writeFileSync(path, 'x'.repeat(100_000));

    expect(await nativeAddon().readFile(path, 100_000)).toHaveLength(100_000);
    expect(await nativeAddon().readStart(path, 99_999)).toHaveLength(99_999);
    expect(await nativeAddon().readStart(path, 200_000)).toHaveLength(100_000);
    await expect(nativeAddon().readFile(path, 99_999)).rejects.toMatchObject({ os: { code: 'EFBIG', path } });
    await nativeAddon().writeFile(path, 'begin');
    expect(readFileSync(path, 'utf8').slice(0, 7)).toBe('beginxx');
  });

  it('reaches names that are no UTF-8', async () => {
    const path = Buffer.concat([Buffer.from(`${scratchDirectory()}/`), Buffer.from([0xff, 0xfe])]);
    writeFileSync(path, 'text');

    expect(Buffer.from(await nativeAddon().readFile(path, 10)).toString()).toBe('text');
  });

  it('settles a thousand operations at once, each with its own answer', async () => {
    const directory = scratchDirectory();
    const names = Array.from({ length: 1000 }, (_, index) => String(index));
    for (const name of names) writeFileSync(join(directory, name), name);

    const texts = await Promise.all(names.map(async (name) => Buffer.from(await nativeAddon().readFile(join(directory, name), 100)).toString()));

    expect(texts).toEqual(names);
  });

  it('refuses what is more than it can queue, and goes on afterwards', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20_000 }, () => nativeAddon().isExecutable('/bin/sh')));

    const refused = outcomes.filter(({ status }) => status === 'rejected');
    for (const outcome of refused) expect(outcome).toMatchObject({ reason: { os: { code: 'EAGAIN' } } });
    expect(outcomes.length - refused.length).toBeGreaterThan(1000);
    expect(await nativeAddon().isExecutable('/bin/sh')).toBe(true);
  });

  it('starts a freeze guardian though every thread is stuck', async () => {
    interface Guardians {
      startGuardian(path: string, name: string): Promise<{ readonly pid: number; readonly fd: number }>;
      reapGuardian(pid: number): Promise<void>;
    }
    const addon = nativeAddon() as NativeAddon & Guardians;
    const guardian = (): ReturnType<Guardians['startGuardian']> => addon.startGuardian(join(dirname(addonPath()), 'concierge-guardian'), 'guardian');
    const first = await guardian();
    // Each waits for the end of the first one.
    const stuck = Promise.allSettled(Array.from({ length: 200 }, () => addon.reapGuardian(first.pid)));
    let ordinary = 'waits';
    const waiting = addon.isExecutable('/bin/sh').then(() => (ordinary = 'done'));

    const second = await guardian();
    const meanwhile = ordinary;
    closeSync(second.fd);
    closeSync(first.fd);
    await stuck;
    await waiting;
    await addon.reapGuardian(second.pid);

    expect(second.pid).not.toBe(first.pid);
    expect([meanwhile, ordinary]).toEqual(['waits', 'done']);
  });

  it('lets a worker end while programs run and operations are under way', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       const addon = { exports: {} };
       process.dlopen(addon, ${JSON.stringify(addonPath())});
       const { spawn, isExecutable } = addon.exports;
       spawn('/bin/sleep', ['0.2'], undefined, undefined, 1, 1, () => {}, () => {}).then(() => {
         for (let count = 0; count < 100; count++) void isExecutable('/bin/sh');
         parentPort.postMessage('running');
       });`,
      { eval: true },
    );
    await new Promise((resolve) => worker.once('message', resolve));

    const code = await worker.terminate();

    expect(code).toBe(1);
    expect(await nativeAddon().isExecutable('/bin/sh')).toBe(true);
  });
});

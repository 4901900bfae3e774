// SPDX-License-Identifier: Apache-2.0
/** The package as it is published: packed, installed outside the repository, and used as a third party uses it. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ended, installPackage, mustEnd, root, startAgent, type Installation } from './installed.ts';

let installed: Installation;

beforeAll(async () => {
  installed = await installPackage();
});

afterAll(() => installed.remove());

describe('the package', () => {
  it('is clean for publint', async () => {
    expect(await ended(join(root, 'node_modules/.bin/publint'), ['--strict', installed.tarball], root)).toMatchObject({ status: 0 });
  });

  it('has types for every entry point that fit what Node loads', async () => {
    expect(await ended(join(root, 'node_modules/.bin/attw'), ['--profile', 'esm-only', installed.tarball], root)).toMatchObject({ status: 0 });
  });

  it('declares what it imports, and exports what somebody uses', async () => {
    expect(await ended(join(root, 'node_modules/.bin/knip'), ['--no-progress'], root)).toEqual({ status: 0, out: expect.any(String), err: expect.any(String) });
  });

  it('compiles for a user with nodenext and strict', async () => {
    const project = await installed.project('user');
    writeFileSync(join(project, 'use.ts'), `
      import { GuestClient, connectUnix, withFrozen } from 'concierge-ga/client';
      import { createFakeGuest } from 'concierge-ga/fake';
import { defineBackend } from 'concierge-ga/kit';
import { testBackend } from 'concierge-ga/kit/contract';
      const guest = await createFakeGuest({ timeline: [{ at: 0, do: 'fill', of: '/' }] });
      const client = new GuestClient(guest.connect());
      const { 'host-name': name }: { readonly 'host-name': string } = await client.execute('guest-get-host-name');
      const frozen: bigint = await withFrozen(client, async ({ count }) => count);
      // @ts-expect-error -- no such argument
      void client.execute.bind(client, 'guest-file-open', { paht: '' });
      console.log(name, frozen, typeof connectUnix, typeof defineBackend, typeof testBackend);
      client.close();
    `);
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({
      compilerOptions: { module: 'nodenext', target: 'es2024', strict: true, skipLibCheck: false, exactOptionalPropertyTypes: true, types: ['node'], lib: ['es2024', 'esnext.disposable'] },
      files: ['use.ts'],
    }));
    await mustEnd('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--save-dev', 'typescript@7.0.2', '@types/node@24.19.2'], project);

    await mustEnd(join(project, 'node_modules/.bin/tsc'), [], project);

    expect(await mustEnd(process.execPath, ['use.js'], project)).toBe('fake 4n function function function\n');
  });
});

describe('the template', () => {
  it('builds and keeps the contract, three ports done and the rest absent', async () => {
    await mustEnd(installed.program('concierge-ga'), ['kit', 'new', 'backend-acme'], installed.directory);
    const project = await installed.project('backend-acme');

    const output = await mustEnd('npm', ['test'], project);

    expect(output).toMatch(/# pass [1-9]\d|ℹ pass [1-9]\d/);
    expect(output).toMatch(/(?:#|ℹ) fail 0/);
    expect(output).toMatch(/(?:#|ℹ) cancelled 0/);
    expect(output).toContain('this backend has no such group');
  });

  it('is not written over what is there, nor under a name that no package has', async () => {
    await expect(ended(installed.program('concierge-ga'), ['kit', 'new', 'Wrong_Name'], installed.directory)).resolves.toMatchObject({ status: 1, err: expect.stringContaining('lower-case words') });
    await expect(ended(installed.program('concierge-ga'), ['kit', 'new', 'node_modules'], installed.directory)).resolves.toMatchObject({ status: 1 });
    await expect(ended(installed.program('concierge-ga'), ['kit'], installed.directory)).resolves.toMatchObject({ status: 1, err: expect.stringContaining('kit new DIR') });
  });
});

describe('the portable backend', () => {
  it('keeps the contract in its own package, and the installed agent drives a guest with it', async () => {
    const project = await installed.project('backend-portable', join(root, 'examples/backend-portable'));
    const ctl = async (socket: string, ...words: string[]): Promise<string> => mustEnd(installed.program('concierge-ctl'), ['--socket', socket, ...words], installed.directory);

    const tests = await mustEnd('npm', ['test'], project);
    const listed = await mustEnd(installed.program('concierge-ga'), ['backends', project], installed.directory);
    const agent = await startAgent(installed.program('concierge-ga'), ['--backend', project], installed.directory);
    try {
      writeFileSync(join(installed.directory, 'sent'), 'across');
      await ctl(agent.socket, 'cp', join(installed.directory, 'sent'), `guest:${join(installed.directory, 'arrived')}`);

      expect(tests).toMatch(/(?:#|ℹ) fail 0/);
      expect(listed).toMatch(/: 2\d of 46 commands, fits this machine/);
      expect(readFileSync(join(installed.directory, 'arrived'), 'utf8')).toBe('across');
      expect(await ctl(agent.socket, 'exec', '--', 'echo', 'hello')).toBe('hello\n');
      expect(await ctl(agent.socket, 'info')).toMatch(/^commands +2\d, 2\d enabled$/m);
      expect(await ctl(agent.socket, 'net')).toContain('NAME');
    } finally {
      await agent.stop();
    }
  });
});

describe('without the native addon', () => {
  const addon = (): string => join(installed.directory, 'node_modules/concierge-ga/dist/concierge.node');
  beforeAll(() => renameSync(addon(), `${addon()}.away`));
  afterAll(() => renameSync(`${addon()}.away`, addon()));
  const socket = (): string => join(installed.directory, 'x.sock');

  it('the agent starts with the portable backend, answers several hosts, says what it misses, and ends', async () => {
    const project = await installed.project('backend-portable', join(root, 'examples/backend-portable'));
    await mustEnd('npm', ['run', 'build'], project);
    const agent = await startAgent(installed.program('concierge-ga'), ['--backend', project], installed.directory);

    const mode = statSync(agent.socket).mode & 0o777;
    const answers = await Promise.all(['one', 'two', 'three'].map((word) =>
      mustEnd(installed.program('concierge-ctl'), ['--socket', agent.socket, 'exec', '--', 'echo', word], installed.directory)));
    const { status, said } = await agent.stop();

    expect(mode).toBe(0o600);
    expect(answers).toEqual(['one\n', 'two\n', 'three\n']);
    expect(status).toBe(0);
    expect(said).toContain('The socket is served by Node alone');
    expect(existsSync(agent.socket)).toBe(false);
  });

  it.each([
    ['the backend of Linux', ['-m', 'unix-listen']],
    ['vsock', ['--backend', 'fake', '-m', 'vsock-listen', '-p', '3:1024']],
    ['a serial line', ['--backend', 'fake', '-m', 'isa-serial', '-p', '/dev/null']],
    ['a virtio port', ['--backend', 'fake', '-m', 'virtio-serial', '-p', '/dev/null']],
  ])('%s is refused with what is missing', async (_what, words) => {
    const { status, err } = await ended(installed.program('concierge-ga'), ['-t', installed.directory, '-p', socket(), ...words], installed.directory);

    expect([status, err]).toEqual([1, expect.stringContaining('the native addon is missing')]);
  });
});

describe('under Node 22', () => {
  it('the package works as under Node 24, its programs and entry points', async () => {
    const project = await installed.project('node-22');
    // The package `node` fetches its program in an install script.
    const own = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as object;
    writeFileSync(join(project, 'package.json'), JSON.stringify({ ...own, allowScripts: { node: true } }));
    await mustEnd('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', 'node@22'], project);
    const node = join(project, 'node_modules/node/bin/node');
    writeFileSync(join(project, 'use.mjs'), `
      import { readFile, GuestClient } from 'concierge-ga/client';
      import { createFakeGuest } from 'concierge-ga/fake';
      import { buffer } from 'node:stream/consumers';
      const guest = await createFakeGuest({ machine: { files: { '/data/hello': 'hello' } } });
      const client = new GuestClient(guest.connect());
      console.log(process.versions.node.split('.')[0], (await buffer(readFile(client, '/data/hello'))).toString());
      client.close();
    `);

    const used = await mustEnd(node, ['use.mjs'], project);
    const agent = await startAgent(node, [join(project, 'node_modules/concierge-ga/dist/concierge-ga.cjs'), '--backend', 'fake'], project);
    const told = await mustEnd(node, [join(project, 'node_modules/concierge-ga/dist/ctl.cjs'), '--socket', agent.socket, 'cp', 'guest:/etc/hostname', '-'], project);
    const { status } = await agent.stop();

    expect(used).toBe('22 hello\n');
    expect(told).toBe('fake\n');
    expect(status).toBe(0);
  });
});

describe('the backup script', () => {
  it('of the examples runs against an installed agent', async () => {
    const agent = await startAgent(installed.program('concierge-ga'), ['--backend', 'fake', '--scenario', join(root, 'examples/scenarios/clock-jump.yaml')], installed.directory);
    try {
      writeFileSync(join(installed.directory, 'backup.mjs'), readFileSync(join(root, 'examples/backup.mjs')));

      const output = await mustEnd(process.execPath, ['backup.mjs', agent.socket, 'true'], installed.directory);
      const failed = await ended(process.execPath, ['backup.mjs', agent.socket, 'false'], installed.directory);

      expect(output).toBe('copied with 4 file systems frozen\n');
      expect(failed).toMatchObject({ status: 1, err: expect.stringContaining('no consistent copy') });
    } finally {
      await agent.stop();
    }
  });

  it('tells the line of a scenario that is wrong', async () => {
    const file = join(installed.directory, 'wrong.yaml');
    writeFileSync(file, 'timeline:\n  - { at: 0, do: frezee-hangs, of: /data }\n');

    const { status, err } = await ended(installed.program('concierge-ga'), ['--backend', 'fake', '--scenario', file, '-m', 'unix-listen', '-p', join(installed.directory, 'x.sock'), '-t', installed.directory], installed.directory);

    expect([status, err]).toEqual([1, expect.stringContaining(`${file}:2:18: there is no 'do: frezee-hangs': did you mean 'freeze-hangs'?`)]);
  });
});

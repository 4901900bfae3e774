// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, closeSync, ftruncateSync, linkSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { UNATTENDED_MS } from '../../../client/cli/copy-tree.ts';
import { ClientError, connectUnix, GuestClient, jsonReplacer } from '../../../client/index.ts';
import { ctlWith, type Told } from '../../unit/client/cli/ctl.ts';
import { AgentProcess } from '../../wire/lib/agent-process.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

/** Everything of a folder that a copy is to keep, by name. */
function facts(root: string, below = '.'): Record<string, object> {
  const stat = lstatSync(join(root, below), { bigint: true });
  const kind = stat.isSymbolicLink() ? readlinkSync(join(root, below)) : stat.isDirectory() ? 'directory' : stat.isFIFO() ? 'FIFO' : stat.isFile() ? readFileSync(join(root, below)).toString('base64').slice(0, 100) : `device ${stat.rdev}`;
  const own = { kind, mode: (stat.mode & 0o7777n).toString(8), owner: `${stat.uid}:${stat.gid}`, modified: stat.mtimeNs, ...(stat.isFile() ? { size: stat.size, links: stat.nlink } : {}) };
  return Object.assign({ [below]: own }, ...(stat.isDirectory() ? readdirSync(join(root, below)).toSorted().map((name) => facts(root, join(below, name))) : []));
}

describe.skipIf(platform() !== 'linux')('a folder that is copied with all that is in it (needs Linux, tar)', () => {
  let directory: string;
  let agent: AgentProcess;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-tree-'));
    agent = await AgentProcess.start();
  });

  afterEach(async () => {
    await agent.stop();
    rmSync(directory, { recursive: true });
  });

  const cp = (...words: readonly string[]): Promise<Told> => ctlWith(async () => new GuestClient(await connectUnix(agent.socket)), ['cp', ...words]);

  /** With a bit of everything that stays inside. */
  function tree(): string {
    const root = join(directory, 'tree');
    mkdirSync(join(root, 'inner', 'empty'), { recursive: true });
    writeFileSync(join(root, 'inner', 'plain'), 'some text\n');
    chmodSync(join(root, 'inner', 'plain'), 0o4751);
    linkSync(join(root, 'inner', 'plain'), join(root, 'twin'));
    symlinkSync('../twin', join(root, 'inner', 'link'));
    symlinkSync('nowhere', join(root, 'dangling'));
    execFileSync('mkfifo', ['-m', '620', join(root, 'pipe')]);
    writeFileSync(join(root, `${'long '.repeat(30)}ä\n-`), 'long');
    const sparse = openSync(join(root, 'sparse'), 'w');
    ftruncateSync(sparse, 64 * 1024 * 1024);
    writeSync(sparse, 'end', 63 * 1024 * 1024);
    closeSync(sparse);
    if (isRoot) chownSync(join(root, 'sparse'), NOBODY, NOBODY);
    utimesSync(join(root, 'inner', 'plain'), 1_000_000_000, 1_234_567_890.123456);
    lutimesSync(join(root, 'dangling'), 1_000_000_000, 1_222_222_222.5);
    chmodSync(join(root, 'inner', 'empty'), 0o555);
    utimesSync(join(root, 'inner'), 1_000_000_000, 1_111_111_111.25);
    return root;
  }

  it('keeps owners, modes, times, links and holes, into the guest and out of it', async () => {
    const root = tree();
    const before = facts(root);

    const up = await cp('-r', root, `guest:${join(directory, 'up')}`);
    const down = await cp('-r', `guest:${join(directory, 'up')}/`, join(directory, 'down'));

    expect([up, down]).toEqual([{ status: 0, out: '', err: '' }, { status: 0, out: '', err: '' }]);
    expect(facts(join(directory, 'up'))).toEqual(before);
    expect(facts(join(directory, 'down'))).toEqual(before);
    for (const name of ['up', 'down']) expect(lstatSync(join(directory, name, 'sparse')).blocks * 512).toBeLessThan(1024 * 1024);
    // Nothing of how it came about is left.
    expect(readdirSync(directory).toSorted()).toEqual(['down', 'tree', 'up']);
  });

  it('goes into a folder that is there, and replaces none', async () => {
    mkdirSync(join(directory, 'source', 'a'), { recursive: true });
    mkdirSync(join(directory, 'into'));

    expect(await cp('-r', join(directory, 'source'), `guest:${join(directory, 'into')}`)).toMatchObject({ status: 0 });
    expect(readdirSync(join(directory, 'into'))).toEqual(['source']);
    const again = await cp('-r', join(directory, 'source'), `guest:${join(directory, 'into')}`);
    expect(again.status).not.toBe(0);
    expect(again.err).toContain(`${join(directory, 'into', 'source')} is there already`);
    expect(again.err).toMatch(/\/into cannot be written in the guest: it is there already, or is a folder that has source in it, and nothing is replaced\n$/);
    const back = await cp('-r', `guest:${join(directory, 'source')}`, join(directory, 'into'));
    expect(back.status).not.toBe(0);
    expect(back.err).toContain(`${join(directory, 'into', 'source')} is there already`);
    expect(readdirSync(join(directory, 'into'))).toEqual(['source']);
  });

  it('says in a sentence that the place for it is missing here', async () => {
    mkdirSync(join(directory, 'source'));

    expect(await cp('-r', `guest:${join(directory, 'source')}`, join(directory, 'none', 'back'))).toEqual({
      status: 1, out: '', err: `concierge-ctl: ${join(directory, 'none', 'back')} cannot be written: there is no such file or directory\n`,
    });
  });

  it('leaves links that lead out of a folder of the guest where they are, unless they are asked for', async () => {
    mkdirSync(join(directory, 'source', 'a'), { recursive: true });
    symlinkSync('/etc/passwd', join(directory, 'source', 'absolute'));
    symlinkSync('../../outside', join(directory, 'source', 'a', 'up'));
    symlinkSync('../inside', join(directory, 'source', 'a', 'in'));

    const strict = await cp('-r', `guest:${join(directory, 'source')}`, join(directory, 'strict'));
    const all = await cp('-r', '--any-links', `guest:${join(directory, 'source')}`, join(directory, 'all'));

    expect(strict.status).toBe(1);
    expect(strict.err).toContain('./absolute was left out: it is a link that leads out of the folder, to "/etc/passwd"\n');
    expect(strict.err).toContain('./a/up was left out: it is a link that leads out of the folder, to "../../outside"\n');
    expect(readdirSync(join(directory, 'strict', 'a'))).toEqual(['in']);
    expect(all.status).toBe(0);
    expect(facts(join(directory, 'all'))).toEqual(facts(join(directory, 'source')));
  });

  it.skipIf(!isRoot)('brings device files only where they are asked for', async () => {
    mkdirSync(join(directory, 'source'));
    execFileSync('mknod', [join(directory, 'source', 'null'), 'c', '1', '3']);

    const without = await cp('-r', `guest:${join(directory, 'source')}`, join(directory, 'without'));
    const withThem = await cp('-r', '--devices', join(directory, 'source'), `guest:${join(directory, 'with')}`);

    expect(without).toMatchObject({ status: 1, err: 'concierge-ctl: ./null was left out: it is a device\n' });
    expect(readdirSync(join(directory, 'without'))).toEqual([]);
    expect(withThem.status).toBe(0);
    expect(lstatSync(join(directory, 'with', 'null')).isCharacterDevice()).toBe(true);
  });

  /** A guest whose tar has no end, and a folder to read from it. */
  async function endless(): Promise<string> {
    await agent.stop();
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    // A hole is read as zeros.
    writeFileSync(join(bin, 'tar'), '#!/bin/sh\nfor one do shift; [ "$one" = --sparse ] || set -- "$@" "$one"; done\nPATH=/usr/bin:/bin exec tar "$@"\n', { mode: 0o755 });
    mkdirSync(join(directory, 'source'));
    const hole = openSync(join(directory, 'source', 'hole'), 'w');
    ftruncateSync(hole, 2 ** 40);
    closeSync(hole);
    agent = await AgentProcess.start({ environment: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } });
    return join(directory, 'source');
  }

  /** Nothing that the agent was asked for runs any more. */
  async function nothingRuns(): Promise<void> {
    using client = new GuestClient(await connectUnix(agent.socket));
    await vi.waitFor(async () => expect((await client.execute('__org.concierge_exec-list')).filter(({ exited }) => !exited)).toEqual([]), { timeout: 30_000 });
  }

  it('takes no more than it is told to from a guest that sends for ever', async () => {
    const source = await endless();

    const told = await cp('-r', '--max-size', '3M', `guest:${source}`, join(directory, 'there'));

    expect(told).toEqual({ status: 1, out: '', err: 'concierge-ctl: the guest sends more than --max-size 3M\n' });
    await nothingRuns();
    expect(readdirSync(directory).toSorted()).toEqual(['bin', 'source']);
  });

  it('given up by Ctrl-C while a guest sends for ever, leaves nothing behind, here or there', async () => {
    const source = await endless();
    const signals = new EventEmitter();

    const copying = ctlWith(async () => new GuestClient(await connectUnix(agent.socket)), ['cp', '-r', `guest:${source}`, join(directory, 'there')], { signals });
    await vi.waitFor(() => {
      const [temporary = 'none'] = readdirSync(directory).filter((name) => name.startsWith('.there.'));
      expect(lstatSync(join(directory, temporary, 'hole')).size).toBeGreaterThan(1024 * 1024);
    }, { timeout: 30_000 });
    signals.emit('SIGINT');

    expect(await copying).toMatchObject({ status: 130, err: 'concierge-ctl: the copy was given up\n' });
    await nothingRuns();
    expect(readdirSync(directory).toSorted()).toEqual(['bin', 'source']);
  });

  it.each(['up', 'down'])('ends in the guest when the host was killed and its requests came one by one: %s', async (way) => {
    mkdirSync(join(directory, 'source'));
    writeFileSync(join(directory, 'source', 'large'), Buffer.alloc(8 * 1024 * 1024, 'a'));
    let isKilled = false;
    let exchanges = 0;
    /** As virsh passes a request on; of a host that is there no more nothing comes. */
    const single = async (): Promise<GuestClient> => new GuestClient({
      ask: async (request) => {
        if (request.includes('exec-exchange') && request.includes(way === 'up' ? '"input"' : 'errors-offset') && (exchanges += 1) > 4) isKilled = true;
        if (isKilled) throw new ClientError('refused', 'the host was killed');
        using line = new GuestClient(await connectUnix(agent.socket));
        const { execute, arguments: args } = JSON.parse(request.replace(`"unattended-limit-ms":${UNATTENDED_MS}`, '"unattended-limit-ms":1000')) as { execute: string; arguments: object };
        return JSON.stringify({ return: await line.executeRaw(execute, JSON.stringify(args)) }, jsonReplacer);
      },
      writeBytes: 64 * 1024,
    });
    const [from, to] = way === 'up' ? [join(directory, 'source'), `guest:${join(directory, 'there')}`] : [`guest:${join(directory, 'source')}`, join(directory, 'there')];

    const told = await ctlWith(single, ['cp', '-r', from, to]);

    expect(told).toMatchObject({ status: 1, err: expect.stringContaining('the host was killed') });
    await nothingRuns();
    await vi.waitFor(() => expect(readdirSync(directory)).toEqual(['source']), { timeout: 30_000 });
  });

  it('says what is missing: the folder, the place, tar in the guest', async () => {
    mkdirSync(join(directory, 'source'));
    const none = await cp('-r', 'guest:/nowhere/at/all', join(directory, 'x'));
    const noPlace = await cp('-r', join(directory, 'source'), 'guest:/nowhere/at/all/x');
    await agent.stop();
    // Whose PATH has a shell, and nothing else.
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    symlinkSync('/bin/sh', join(bin, 'sh'));
    symlinkSync(process.execPath, join(bin, 'node'));
    agent = await AgentProcess.start({ command: [process.execPath, join(import.meta.dirname, '../../../dist/concierge-ga.cjs')], environment: { PATH: bin } });
    const noTar = await cp('-r', join(directory, 'source'), `guest:${join(directory, 'y')}`);

    expect(none.status).not.toBe(0);
    expect(none.err).toMatch(/the guest: tar: \/nowhere\/at\/all: .*No such file or directory\n[^]*\/nowhere\/at\/all cannot be read in the guest: tar there gave up \(status 2\)\n$/);
    expect(noPlace.err).toMatch(/the guest: mkdir: [^]*\/nowhere\/at\/all\/x cannot be written in the guest: no folder can be made where it belongs\n$/);
    expect(noTar.err).toContain('the guest has no tar, which cp -r needs');
    expect(noTar.status).not.toBe(0);
    expect(readdirSync(directory).toSorted()).toEqual(['bin', 'source']);
  });
});

// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { linuxHooks } from '../../../adapters/linux/programs/hooks.ts';

const isRoot = process.getuid?.() === 0;
let directory = '';
let notes = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-hooks-'));
  notes = join(directory, 'notes');
  mkdirSync(join(directory, 'hooks.d'), { mode: 0o755 });
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A hook that notes its name and argument, or does what is given. */
function install(name: string, body = `echo "$(basename "$0") $*" >> ${notes}`, mode = 0o755): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, mode);
  return path;
}

const hooks = (changes: { script?: string; timeLimitMs?: number } = {}) =>
  linuxHooks({ directory: join(directory, 'hooks.d'), timeLimitMs: 20_000, ...changes }).list();
const noted = (): string[] => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : []);

it('lists the executable files of the directory by the bytes of their names, without leftovers and samples', async () => {
  for (const name of ['20-b', '10-a', 'Z', 'é', '30~', '30.bak', '30.dpkg-old', '30.rpmsave', '30.sample', '.hidden']) install(`hooks.d/${name}`);
  install('hooks.d/40-off', '', 0o644);
  mkdirSync(join(directory, 'hooks.d/50-directory'));
  symlinkSync('10-a', join(directory, 'hooks.d/60-link'));

  const names = (await hooks()).map(({ name }) => name.slice(name.lastIndexOf('/') + 1));

  expect(names).toEqual(['10-a', '20-b', '60-link', 'Z', 'é']);
});

it('runs a hook with the phase as its one argument, in every phase', async () => {
  install('hooks.d/10-a');
  const [hook] = await hooks();

  const outcomes = [await hook?.run('freeze'), await hook?.run('freezefail'), await hook?.run('thaw')];

  expect(outcomes.map((outcome) => outcome?.ok)).toEqual([true, true, true]);
  expect(noted()).toEqual(['10-a freeze', '10-a freezefail', '10-a thaw']);
});

it('puts the script of -F first, gives it the two words that it knows, and its failure the words of the reference', async () => {
  install('hooks.d/10-a');
  const script = install('fsfreeze-hook', `echo "script $*" >> ${notes}; echo no way; exit 3`);
  const [first, second] = await hooks({ script });

  const failed = await first?.run('freeze');
  const passedOver = await first?.run('freezefail');

  expect(second?.name.endsWith('10-a')).toBe(true);
  expect(failed).toMatchObject({ ok: false, error: 'child process has failed to execute fsfreeze hook: no way\n', output: 'no way\n' });
  expect(passedOver).toMatchObject({ ok: true });
  expect(noted()).toEqual(['script freeze']);
});

it('says which script is missing as the reference does', async () => {
  const script = join(directory, 'nothing');
  const [hook] = await hooks({ script });

  expect(await hook?.run('freeze')).toMatchObject({
    ok: false,
    error: `child process has failed to execute fsfreeze hook: failed to exec '${script}': No such file or directory\n`,
  });
});

it('runs the directory beside the script of -F where only that is there', async () => {
  mkdirSync(join(directory, 'fsfreeze-hook.d'), { mode: 0o755 });
  install('fsfreeze-hook.d/10-beside');
  const script = join(directory, 'fsfreeze-hook');

  const withoutScript = await hooks({ script });
  install('fsfreeze-hook');
  const withScript = await hooks({ script });

  expect(withoutScript.map(({ name }) => name)).toEqual([join(directory, 'fsfreeze-hook.d/10-beside')]);
  expect(withScript.map(({ name }) => name)).toEqual([script]);
});

it('names the hook of a directory that failed', async () => {
  const path = install('hooks.d/10-a', 'echo locked; exit 1');
  const [hook] = await hooks();

  expect((await hook?.run('freeze'))?.error).toBe(`child process has failed to execute fsfreeze hook ${path}: locked\n`);
});

it('kills a hook and its children at the time limit', async () => {
  install('hooks.d/10-a', 'sleep 600 & echo began; wait');
  const [hook] = await hooks({ timeLimitMs: 2000 });

  const outcome = await hook?.run('freeze');

  expect(outcome).toMatchObject({ ok: false, output: 'began\n' });
  expect(outcome?.error).toContain('killed after its time limit of 2 s');
});

it('refuses what others can write to, be it the hook or its directory', async () => {
  const path = install('hooks.d/10-a', 'true', 0o757);
  const [byMode] = await hooks();
  chmodSync(path, 0o755);
  chmodSync(join(directory, 'hooks.d'), 0o777);
  const [byDirectory] = await hooks();

  expect(byMode?.refused).toBe(`${path} can be written by everybody: run chmod o-w on it`);
  expect(byDirectory?.refused).toBe(`${join(directory, 'hooks.d')} can be written by everybody: run chmod o-w on it`);
});

it.skipIf(!isRoot)('refuses what belongs to another user or can be written by another group (needs root)', async () => {
  const path = install('hooks.d/10-a', 'true');
  chownSync(path, 65534, 0);
  const [byOwner] = await hooks();
  chownSync(path, 0, 65534);
  chmodSync(path, 0o775);
  const [byGroup] = await hooks();

  expect(byOwner?.refused).toContain('belongs to user 65534');
  expect(byGroup?.refused).toContain('can be written by the group 65534');
});

it('lets a hook called .optional fail without a veto', async () => {
  install('hooks.d/10-a.optional');
  install('hooks.d/20-b');

  expect((await hooks()).map(({ canVeto }) => canVeto)).toEqual([false, true]);
});

it('has none where there is neither script nor directory', async () => {
  expect(await linuxHooks({ directory: join(directory, 'missing'), timeLimitMs: 0 }).list()).toEqual([]);
  expect(await linuxHooks({ directory: '', timeLimitMs: 0 }).list()).toEqual([]);
});

it('cuts what a hook prints without end', async () => {
  install('hooks.d/10-a', 'head -c 1000000 /dev/zero | tr "\\0" x');
  const [hook] = await hooks();

  const outcome = await hook?.run('freeze');

  expect(outcome?.ok).toBe(true);
  expect(outcome?.output.length).toBeLessThan(70_000);
  expect(outcome?.output).toContain('[cut after 65536 bytes]');
});

it('starts a hook with SIGPIPE at its default, so that pipelines in it end', async () => {
  install('hooks.d/10-a', `grep SigIgn /proc/self/status >> ${notes}`);
  const [hook] = await hooks();

  await hook?.run('freeze');

  const ignored = BigInt(`0x${noted()[0]?.split(/\s+/)[1]}`);
  expect(ignored & (1n << 12n)).toBe(0n);
});

it('executes a script through the directory that was judged, in which it finds what lies beside it', async () => {
  mkdirSync(join(directory, 'fsfreeze-hook.d'), { mode: 0o755 });
  install('fsfreeze-hook.d/10-beside');
  // As the one that comes with QEMU finds its directory.
  const script = install('fsfreeze-hook', 'for each in "$(dirname -- "$0")/fsfreeze-hook.d"/*; do "$each" "$@"; done');
  const [hook] = await hooks({ script });

  expect(await hook?.run('freeze')).toMatchObject({ ok: true, output: '' });
  expect(noted()).toEqual(['10-beside freeze']);
});

it('calls a hook by the name of the link that leads to it', async () => {
  mkdirSync(join(directory, 'share'), { mode: 0o755 });
  install('share/hook');
  symlinkSync('../share/hook', join(directory, 'hooks.d/10-called'));
  const [hook] = await hooks();

  await hook?.run('freeze');

  expect(noted()).toEqual(['10-called freeze']);
});

it('gives a program that is no script its path as its name, and leaves it no other descriptor than its directory', async () => {
  copyFileSync('/bin/ls', join(directory, 'hooks.d/10-ls'));
  chmodSync(join(directory, 'hooks.d/10-ls'), 0o755);
  const script = install('look', 'tr "\\0" "\\n" < /proc/$$/cmdline | head -n 1; ls -l /proc/$$/fd | sed -n "s/.* -> //p" | sort -u');
  const [look, program] = await hooks({ script });

  const seen = (await look?.run('freeze'))?.output.split('\n') ?? [];
  const failed = await program?.run('freeze');

  expect(seen.filter((one) => one !== '' && !/^(\/bin\/.*sh|\/dev\/null|pipe:.*|\/.*\/look)$/.test(one))).toEqual([directory]);
  expect(failed?.error).toContain(`${join(directory, 'hooks.d/10-ls')}: cannot access 'freeze'`);
});

it('judges every directory above, and links on the way', async () => {
  const script = install('a-hook');
  mkdirSync(join(directory, 'open'));
  symlinkSync('../a-hook', join(directory, 'open/link'));
  chmodSync(join(directory, 'open'), 0o777);
  symlinkSync(directory, join(directory, 'open/directory'));

  const [byLink] = await hooks({ script: join(directory, 'open/link') });
  const [byDirectory] = await linuxHooks({ script: join(directory, 'open/directory/a-hook'), directory: '', timeLimitMs: 0 }).list();
  const [direct] = await hooks({ script });

  expect([byLink?.refused, byDirectory?.refused]).toEqual(Array.from({ length: 2 }, () => `${directory}/open can be written by everybody: run chmod o-w on it`));
  expect(direct?.refused).toBeUndefined();
});

it.skipIf(!isRoot)('is not run where it, or a directory above it, has become somebody else’s since it was listed (needs root)', async () => {
  const script = install('fsfreeze-hook');
  const [hook] = await hooks({ script });
  chownSync(directory, 65534, 65534);

  const outcome = await hook?.run('freeze');
  chownSync(directory, 0, 0);

  expect(outcome).toMatchObject({ ok: false, error: `child process has failed to execute fsfreeze hook: ${directory} belongs to user 65534 and not to root: run chown root on it` });
  expect(noted()).toEqual([]);
});

it('searches PATH for a name without a slash, and judges what it finds there', async () => {
  const before = process.env['PATH'];
  mkdirSync(join(directory, 'bin'), { mode: 0o755 });
  install('bin/concierge-test-hook');
  process.env['PATH'] = `${directory}/nothing:${directory}/bin:${before ?? ''}`;
  try {
    const [trusted] = await hooks({ script: 'concierge-test-hook' });
    await trusted?.run('freeze');
    chmodSync(join(directory, 'bin'), 0o777);
    const [refused] = await hooks({ script: 'concierge-test-hook' });
    const outcome = await trusted?.run('freeze');

    expect(noted()).toEqual(['concierge-test-hook freeze']);
    expect(refused?.refused).toBe(`${directory}/bin can be written by everybody: run chmod o-w on it`);
    expect(outcome?.ok).toBe(false);
  } finally {
    process.env['PATH'] = before;
  }
});

it('is an error where hooks cannot be looked at for want of descriptors, and not a freeze without them', () => {
  install('hooks.d/10-a');
  const source = new URL('../../../adapters/linux/programs/hooks.ts', import.meta.url).href;
  const script = `
    import { closeSync, openSync } from 'node:fs';
    import { linuxHooks } from '${source}';
    const hooks = linuxHooks({ directory: process.argv[1], timeLimitMs: 0 });
    const said = () => hooks.list().then((list) => String(list.length), (error) => error.message);
    const before = await said();
    const held = [];
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    const without = await said();
    held.forEach((descriptor) => closeSync(descriptor));
    console.log(JSON.stringify([before, without, await said()]));`;

  const output = execFileSync('sh', ['-c', 'ulimit -n 128; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', script, join(directory, 'hooks.d')], { encoding: 'utf8' });

  expect(JSON.parse(output)).toEqual(['1', expect.stringContaining('Too many open files'), '1']);
});

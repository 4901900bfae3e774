// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const hooks = join(import.meta.dirname, '../../../examples/generation');
const hasSshKeygen = spawnSync('which', ['ssh-keygen']).status === 0;
let etc = '';

beforeEach(() => {
  etc = mkdtempSync(join(tmpdir(), 'concierge-generation-'));
});

afterEach(() => rmSync(etc, { recursive: true }));

/** Never on this machine's own files: each hook takes another place for them. */
const run = (name: string, environment: Readonly<Record<string, string>> = {}): string =>
  execFileSync(join(hooks, name), ['generation'], { encoding: 'utf8', env: { PATH: process.env['PATH'], ETC: etc, DBUS: join(etc, 'none'), ...environment } });

describe('the ready-made hooks', () => {
  it('may all be executed', () => {
    expect(readdirSync(hooks).filter((name) => (statSync(join(hooks, name)).mode & 0o111) === 0)).toEqual([]);
  });

  it('give two copies of a guest two machine ids', () => {
    const ids = [1, 2].map(() => {
      writeFileSync(join(etc, 'machine-id'), '0123456789abcdef0123456789abcdef\n');
      run('20-machine-id');
      return readFileSync(join(etc, 'machine-id'), 'utf8');
    });

    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}\n$/);
    expect(new Set([...ids, '0123456789abcdef0123456789abcdef\n']).size).toBe(3);
    expect(readdirSync(etc)).toEqual(['machine-id']);
  });

  it('leave a system without a machine id alone', () => {
    expect(run('20-machine-id')).toBe('');
    expect(readdirSync(etc)).toEqual([]);
  });

  it.skipIf(!hasSshKeygen)(`make ssh host keys anew, of the kinds that were there${hasSshKeygen ? '' : ' (needs ssh-keygen)'}`, () => {
    mkdirSync(join(etc, 'ssh'));
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(etc, 'ssh/ssh_host_ed25519_key')]);
    const before = readFileSync(join(etc, 'ssh/ssh_host_ed25519_key.pub'), 'utf8');

    expect(run('30-ssh-host-keys')).toBe('the ed25519 key is new\n');

    expect(readFileSync(join(etc, 'ssh/ssh_host_ed25519_key.pub'), 'utf8')).not.toBe(before);
    expect(statSync(join(etc, 'ssh/ssh_host_ed25519_key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(etc, 'ssh')).toSorted()).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub']);
  });

  it('make another seed, for nobody else to read', () => {
    const seed = join(etc, 'random-seed');
    writeFileSync(seed, 'the seed of the twin');

    expect(run('10-random-seed', { SEED: seed })).toBe(`${seed} is new\n`);

    expect([statSync(seed).size, statSync(seed).mode & 0o777]).toEqual([512, 0o600]);
  });
});

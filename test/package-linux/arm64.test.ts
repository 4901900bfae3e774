// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildPackages, hasBuild, installed, output } from './lib/packages.ts';

const missing = [
  ...(hasBuild() ? [] : ['npm run build']),
  ...(['aarch64-linux-gnu-g++', 'qemu-aarch64', 'dpkg-deb'] as const).filter((program) => installed(program) === undefined),
];
const needs = missing.length === 0 ? '' : ` (needs ${missing.join(', ')})`;

describe.skipIf(needs !== '' || process.arch === 'arm64')(`the package for arm64${needs}`, () => {
  const root = mkdtempSync(join(tmpdir(), 'concierge-arm64-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('runs on that processor, with a code cache that its Node takes', () => {
    const { deb } = buildPackages(['deb'], 'arm64', 'arm64');
    output('dpkg-deb', '--extract', deb!, root);
    const lib = join(root, 'usr/lib/concierge-ga');
    const emulated = (...words: readonly string[]): string => output('qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', join(lib, 'runtime/node'), ...words);
    const isRejected = `
      const { readFileSync } = require('node:fs'); const { Script } = require('node:vm');
      const source = readFileSync(process.argv[1] + '/agent.cjs', 'latin1');
      console.log(process.arch, new Script(source, { cachedData: readFileSync(process.argv[1] + '/agent.cache') }).cachedDataRejected);`;

    expect(output('dpkg-deb', '--field', deb!, 'Architecture')).toBe('arm64\n');
    expect(emulated(join(lib, 'dist/concierge-ga.cjs'), '--version')).toMatch(/^Concierge Guest Agent /);
    expect(emulated('--heap-growing-percent=100', '-e', isRejected, join(lib, 'dist'))).toBe('arm64 false\n');
    for (const name of ['concierge.node', 'concierge-guardian', 'concierge-keeper']) expect(output('readelf', '--file-header', join(lib, 'dist', name))).toMatch(/Machine:\s+AArch64/);
  }, 600_000);
});

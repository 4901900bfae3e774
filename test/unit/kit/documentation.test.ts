// SPDX-License-Identifier: Apache-2.0
/** The code of the pages for third parties, compiled and run. What stands in a block of text behind it has to come out. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { FakeLog } from '../../../kit/fake/index.ts';
import type { Channels, FileAccess } from '../../../kit/index.ts';

const root = resolve(import.meta.dirname, '../../..');
const directory = join(root, '.cache/documentation');

interface Block {
  /** Where it is written, below the page's directory. */
  readonly file: string;
  readonly code: string;
  readonly runs: boolean;
  /** What it prints. */
  readonly output: string | undefined;
}

function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(join(root, `docs/${page}.md`), 'utf8');
  const found = text.matchAll(/^```ts(?: (compile|file=\S+))?\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm);
  return Array.from(found, ([, kind, code = '', output], index) => ({
    file: kind?.startsWith('file=') === true ? kind.slice('file='.length) : `example-${index}.ts`,
    code,
    runs: kind === undefined,
    output,
  }));
}

const pages = ['writing-a-backend', 'client', 'fake-machine'];

beforeAll(() => {
  rmSync(directory, { recursive: true, force: true });
  for (const page of pages) {
    for (const { file, code } of blocksOf(page)) {
      const path = join(directory, page, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, code);
    }
  }
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('the code of every page compiles', () => {
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] }, include: ['**/*.ts'], exclude: [] }));
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

  expect(() => execFileSync(process.execPath, [compiler, '-p', join(directory, 'tsconfig.json')], { encoding: 'utf8', stdio: 'pipe' })).not.toThrow();
});

describe.each(pages.slice(1))('the page %s', (page) => {
  let printed: string[];

  beforeEach(() => {
    printed = [];
    vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void printed.push(words.map((word) => (typeof word === 'bigint' ? `${word}n` : String(word))).join(' ')));
  });

  afterEach(() => vi.restoreAllMocks());

  it.each(blocksOf(page).filter(({ runs }) => runs))('prints what it says: $file', async ({ file, output }) => {
    await import(join(directory, page, file));

    expect(`${printed.join('\n')}\n`).toBe(output ?? '\n');
  });
});

describe('the page writing-a-backend', () => {
  it('leads to a backend that loads and keeps its contract', async () => {
    const { loadBackend } = await import('../../../kit/contract/index.ts');
    const { backend } = (await import(join(directory, 'writing-a-backend/src/index.ts'))) as { backend: Parameters<typeof loadBackend>[0] };

    const loaded = await loadBackend(backend);

    expect(backend.id).toBe('acme-os');
    await expect(loaded.host?.osInformation?.get()).resolves.toMatchObject({ id: 'acme-os' });
  });

  it('has a channel that a host can come through, and that leaves nothing behind', async () => {
    const { channels } = (await import(join(directory, 'writing-a-backend/src/channels.ts'))) as { channels: Channels };
    const path = join(directory, 'bus');
    const transport = await channels.create('acme-bus', path, { log: new FakeLog() });
    await transport.open((connection) => connection.start({
      data: (chunk) => void connection.write(`<${Buffer.from(chunk).toString()}>`), drained: () => undefined, hostChanged: () => undefined, closed: () => undefined,
    }));
    const second = await channels.create('acme-bus', path, { log: new FakeLog() });
    const host = connect(path).setEncoding('utf8');
    host.write('hello');
    const [answer] = (await once(host, 'data')) as [string];
    const mode = statSync(path).mode & 0o777;

    await expect(second.open(() => undefined)).rejects.toThrow('cannot be used: is another agent running');
    await transport.close();
    await transport.close();

    expect([answer, mode, existsSync(path)]).toEqual(['<hello>', 0o600, false]);
  });

  it('has files that can be read', async () => {
    const { files } = (await import(join(directory, 'writing-a-backend/src/files.ts'))) as { files: FileAccess };
    const mode = { read: true, write: false, append: false, create: false, truncate: false };
    const file = await files.open(import.meta.filename, mode);
    const into = new Uint8Array(6);

    await file.seek(4n, 'set');
    await file.read(into);
    await file.close();

    expect(Buffer.from(into).toString()).toBe(readFileSync(import.meta.filename, 'utf8').slice(4, 10));
    await expect(files.open('/no/such', mode)).rejects.toMatchObject({ kind: 'os', message: 'No such file or directory' });
  });
});

it('the demo shows what it promises', () => {
  const output = execFileSync(process.execPath, [join(root, 'scripts/demo.ts')], { encoding: 'utf8' });

  expect(output).toContain('and thaws 4 file systems');
  expect(output).not.toContain('must not be');
});

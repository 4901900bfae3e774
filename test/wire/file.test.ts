// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess, scratchDirectory } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import type { LineClient } from './lib/line-client.ts';
import { fileHandles } from './lib/renumbering.ts';

const dir = scratchDirectory();
const files = join(dir, 'files');
const handles = fileHandles();

/** What the machine looked like when the recording was made. */
function furnish(): void {
  mkdirSync(files);
  mkdirSync(join(dir, 'cwd'));
  writeFileSync(join(files, 'f'), '');
  writeFileSync(join(files, 'ap'), '12345');
  writeFileSync(join(files, 'big'), Buffer.alloc(65536, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))));
  symlinkSync('loop', join(files, 'loop'));
  symlinkSync('not-there', join(files, 'dangling'));
}

const isOpenOfM = ({ name }: GoldenExchange): boolean => /^mode '[^']*'$/.test(name);

const text = (path: string): string => readFileSync(path, 'latin1');

/** What was looked at from outside. */
const looks: Readonly<Record<string, () => string>> = {
  'probe: size on disk before flush': () => String(statSync(join(files, 'a')).size),
  'probe: size on disk after flush': () => String(statSync(join(files, 'a')).size),
  'probe: content': () => text(join(files, 'a')),
  'probe: name of that file': () => readdirSync(Buffer.from(files), { encoding: 'buffer' }).map((name) => name.toString('latin1')).find((name) => /^x.*y$/s.test(name)) ?? '',
  'probe: permissions of new file': () => `0o${(statSync(join(files, 'newfile')).mode & 0o777).toString(8)}`,
  'probe: appended': () => text(join(files, 'ap')),
};

const lookFor = ({ name }: GoldenExchange): (() => string) | undefined => (name.endsWith("' content") ? () => text(join(files, 'm')) : looks[name]);

describe('the recorded exchanges about files, in one sequence', () => {
  let agent: AgentProcess;
  let client: LineClient;

  beforeAll(async () => {
    furnish();
    agent = await AgentProcess.start({ cwd: join(dir, 'cwd') });
    client = await agent.connect();
  });

  afterAll(async () => {
    client.close();
    await agent.stop();
    rmSync(dir, { recursive: true });
  });

  for (const exchange of loadGolden('file', { dir })) {
    const look = lookFor(exchange);
    const expected = differenceOf(exchange)?.responses ?? exchange.responses;

    it(`${exchange.name}: ${verdict(exchange)}`, async () => {
      if (look !== undefined) {
        expect(look()).toBe(expected[0]);
        return;
      }
      if (isOpenOfM(exchange)) writeFileSync(join(files, 'm'), '0123456789');

      const line = await client.ask(handles.request(exchange.request));

      if (!handles.gives(expected[0], line)) expectLines([line], expected.map((one) => handles.line(one)));
    });
  }

  it('nothing else was said', async () => {
    expect(await client.exchange(Buffer.alloc(0))).toHaveLength(2);
  });
});

// SPDX-License-Identifier: Apache-2.0
/** `concierge-ctl cp` as it ships, on an agent as it ships: what a copy costs in memory does not depend on how long it is. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AgentProcess } from '../wire/lib/agent-process.ts';
import { repository, setup } from '../wire/lib/build.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const SMALL = 64 * MiB;
const LARGE = 512 * MiB;
/** What garbage collection may leave lying about, in KiB; a client that keeps what it copies is beyond it at once. */
const SLACK = 24 * 1024;

const directory = mkdtempSync(join('/dev/shm', 'cc-'));
const use = join(directory, 'use');
const target = join(directory, 'target');

async function digest(path: string): Promise<string> {
  const hash = createHash('sha1');
  await pipeline(createReadStream(path, { highWaterMark: MiB }), hash);
  return hash.digest('hex');
}

async function fill(path: string, size: number): Promise<void> {
  const file = await open(path, 'w');
  for (let written = 0; written < size; written += 8 * MiB) await file.write(randomBytes(8 * MiB));
  await file.close();
}

interface Peaks {
  /** KiB each. */
  readonly client: number;
  readonly agent: number;
}

/** Copies with an agent that has copied nothing before. */
async function copy(from: string, to: string): Promise<Peaks> {
  rmSync(target, { force: true });
  const agent = await AgentProcess.start();
  try {
    writeFileSync(`/proc/${agent.pid}/clear_refs`, '5');
    await run(join(repository, 'bin/concierge-ctl'), ['--socket', agent.socket, '--timeout', '60', 'cp', from, to], {
      env: { ...process.env, USE_FILE: use, NODE_OPTIONS: `--require ${join(repository, 'bench/lib/report-use.cjs')}` },
    });
    return {
      client: Number(readFileSync(use, 'utf8').split(' ')[0]),
      agent: Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${agent.pid}/status`, 'utf8'))?.[1]),
    };
  } finally {
    await agent.stop();
  }
}

describe.skipIf(process.platform !== 'linux')('a copy of 512 MiB (needs Linux)', () => {
  const source = (size: number): string => join(directory, String(size));

  beforeAll(async () => {
    setup();
    for (const size of [SMALL, LARGE]) await fill(source(size), size);
    // The agent may have to be built first.
  }, 600_000);

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each([
    ['out of the guest', 'guest:', ''],
    ['into the guest', '', 'guest:'],
  ])('%s takes no more memory than one of 64 MiB, here or there', async (_way, from, to) => {
    const small = await copy(from + source(SMALL), to + target);
    const large = await copy(from + source(LARGE), to + target);

    expect(await digest(target)).toBe(await digest(source(LARGE)));
    expect(large.client).toBeLessThan(small.client + SLACK);
    expect(large.agent).toBeLessThan(small.agent + SLACK);
  });
});

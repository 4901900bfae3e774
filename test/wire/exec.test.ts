// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess, scratchDirectory } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import type { LineClient } from './lib/line-client.ts';
import { processIds } from './lib/renumbering.ts';

interface Status {
  readonly exited: boolean;
  readonly exitcode?: number;
  readonly 'out-data'?: string;
  readonly 'out-truncated'?: boolean;
  readonly 'err-data'?: string;
  readonly 'err-truncated'?: boolean;
}

const dir = scratchDirectory();
const pids = processIds();

function program(path: string, text: string, mode = 0o755): void {
  writeFileSync(join(dir, path), text);
  chmodSync(join(dir, path), mode);
}

/** What the machine looked like when the recording was made. */
function furnish(): void {
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'pathbin'));
  program('noexec', 'echo no\n', 0o644);
  program('noshebang', 'echo plain-text-script "$@"\n');
  program('badinterp', '#!/no/such/interpreter\n');
  program('pathbin/mytool', '#!/bin/sh\necho mytool\n');
}

/** Answered while the program still runs, so asked once. */
const whileRunning = new Set(['running status']);

const out = (status: Status): Buffer => Buffer.from(status['out-data'] ?? '', 'base64');
const err = (status: Status): Buffer => Buffer.from(status['err-data'] ?? '', 'base64');

/** Results that the recording gives as what was found in them. */
const findings: Readonly<Record<string, (status: Status, agent: AgentProcess) => string>> = {
  'environment inherited status': (status) => `env has PATH: ${/^PATH=/m.test(out(status).toString()) ? 'True' : 'False'}`,
  'env empty list status': (status) => `empty: b'${out(status).toString()}'`,
  'cwd status': (status) => `same as agent cwd: ${out(status).toString().trim() === dir ? 'True' : 'False'}`,
  'process group status': (status, agent) => {
    const [ids = '', ...rest] = out(status).toString().trim().split('\n');
    const own = spawnSync('ps', ['-o', 'pgid=,sid=', '-p', String(agent.pid)], { encoding: 'utf8' }).stdout.trim().split(/\s+/);
    const [group, session] = ids.trim().split(/\s+/).map((id, i) => (id === own[i] ? 'True' : 'False'));
    return `pgid is the agent's: ${group}, session is the agent's: ${session}, ${rest.join(' ').replaceAll('\t', ' ')}`;
  },
  'big both status': (status) => pythonObject({
    'err-data': err(status).length, 'err-truncated': status['err-truncated'], exitcode: status.exitcode, exited: status.exited,
    'out-data': out(status).length, 'out-truncated': status['out-truncated'],
  }),
  ...Object.fromEntries([16777215, 16777216, 16777217, 17825792].map((count) => [
    `head ${count} bytes status`,
    (status: Status) => pythonObject({ exitcode: status.exitcode, exited: status.exited, 'out-len': out(status).length, 'out-truncated': status['out-truncated'] }),
  ])),
};

const pythonObject = (value: object): string => `{${Object.entries(value).map(([key, one]) => `"${key}": ${String(one)}`).join(', ')}}`;

const asksStatus = ({ name, request }: GoldenExchange): boolean => findings[name] !== undefined || request.includes('"guest-exec-status"');

describe('the recorded exchanges about programs, in one sequence', () => {
  let agent: AgentProcess;
  let client: LineClient;
  let lastPid = '';

  beforeAll(async () => {
    furnish();
    // A directory that can't be searched would be another error (execvp(3)).
    agent = await AgentProcess.start({ cwd: dir, environment: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } });
    client = await agent.connect();
  });

  afterAll(async () => {
    client.close();
    await agent.stop();
    rmSync(dir, { recursive: true });
  });

  /** Asks until the program has ended, as a host does. */
  async function finalStatus(request: Buffer): Promise<string> {
    for (;;) {
      const answer = await client.ask(request);
      if (answer !== '{"return": {"exited": false}}') return answer;
      await delay(5);
    }
  }

  for (const exchange of loadGolden('exec', { dir })) {
    const expected = differenceOf(exchange)?.responses ?? exchange.responses;
    const finding = findings[exchange.name];

    it(`${exchange.name}: ${verdict(exchange)}`, async () => {
      const request = finding === undefined ? pids.request(exchange.request) : Buffer.from(`{"execute":"guest-exec-status","arguments":{"pid":${lastPid}}}\n`);

      const line = asksStatus(exchange) && !whileRunning.has(exchange.name) ? await finalStatus(request) : await client.ask(request);

      lastPid = /^\{"return": \{"pid": (\d+)\}\}$/.exec(line)?.[1] ?? lastPid;
      if (finding !== undefined) expect(finding((JSON.parse(line) as { return: Status }).return, agent)).toBe(expected[0]);
      else if (!pids.gives(expected[0], line)) expectLines([line], expected.map((one) => pids.line(one)));
    });
  }

  it('nothing else was said', async () => {
    expect(await client.exchange(Buffer.alloc(0))).toHaveLength(2);
  });

  it('no zombie is left', () => {
    const children = readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);

    const zombies = children.filter((pid) => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    expect(zombies).toEqual([]);
  });
});

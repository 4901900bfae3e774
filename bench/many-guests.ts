// SPDX-License-Identifier: Apache-2.0
/**
 * `info` of many fake guests by one process, beside shell loops that start a program for each: `node bench/many-guests.ts [--quick]`.
 * The loops ask the same six questions: Python with a socket, and `concierge-ctl` itself. The guests are all in one other process, whose time is in all
 * three. Needs python3.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const quick = process.argv.includes('--quick');
const counts = quick ? [50, 100, 200] : [125, 250, 500, 1000];
/** A loop costs the same for each guest: so many say enough. */
const looped = quick ? 10 : 30;
const rounds = quick ? 2 : 3;
const control = resolve(import.meta.dirname, '../bin/concierge-ctl');
const scratch = mkdtempSync(join(tmpdir(), 'bench-guests-'));

const python = `import json, socket, sys
channel = socket.socket(socket.AF_UNIX); channel.connect(sys.argv[1]); lines = channel.makefile('rb')
for name in ['guest-info', 'guest-get-host-name', 'guest-get-osinfo', 'guest-get-time', 'guest-get-timezone', 'guest-fsfreeze-status']:
    channel.sendall(json.dumps({'execute': name}).encode() + b'\\n')
    print(json.loads(lines.readline())['return'])
`;

interface Use {
  readonly seconds: number;
  /** MiB of resident memory at the peak; of one process. */
  readonly peak?: number;
}

async function byUs(count: number): Promise<Use> {
  const list = join(scratch, 'guests.conf');
  const useFile = join(scratch, 'use');
  writeFileSync(list, Array.from({ length: count }, (_, index) => `[guest${index}]\nsocket=${scratch}/${index}.sock\n`).join(''), { mode: 0o600 });
  const began = performance.now();
  const { stdout } = await run(control, ['--guests', list, '--json', 'info'], {
    maxBuffer: 1 << 30,
    env: { ...process.env, USE_FILE: useFile, NODE_OPTIONS: `--require ${join(import.meta.dirname, 'lib/report-use.cjs')}` },
  });
  const seconds = (performance.now() - began) / 1000;
  const answers = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as { readonly status: number; readonly answer: { readonly 'host-name': string } });
  if (answers.length !== count || answers.some(({ status }) => status !== 0)) throw new Error(`${answers.length} of ${count} guests answered`);
  return { seconds, peak: Number(readFileSync(useFile, 'utf8').split(' ')[0]) / 1024 };
}

async function byLoop(count: number, command: string): Promise<Use> {
  const began = performance.now();
  await run('sh', ['-c', `for i in $(seq 0 ${count - 1}); do ${command} >/dev/null || exit 1; done`], { maxBuffer: 1 << 30 });
  return { seconds: (performance.now() - began) / 1000 };
}

/** The quickest of some rounds: everything else that runs makes it slower, never quicker. */
async function quickest(measure: () => Promise<Use>): Promise<Use> {
  const uses: Use[] = [];
  for (let round = 0; round < rounds; round += 1) uses.push(await measure());
  return uses.reduce((best, use) => (use.seconds < best.seconds ? use : best));
}

const farm = spawn(process.execPath, [join(import.meta.dirname, 'lib/guest-farm.ts'), scratch, String(Math.max(...counts))], { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  await once(farm.stdout, 'data');
  const script = join(scratch, 'info.py');
  writeFileSync(script, python);
  console.log(`info of fake guests, the quickest of ${rounds} rounds       s    ms each   peak MiB`);
  const row = (name: string, count: number, { seconds, peak }: Use): void =>
    console.log(`${`${name}, ${count} guests`.padEnd(50)}${seconds.toFixed(2).padStart(6)}${((seconds * 1000) / count).toFixed(2).padStart(10)}${peak === undefined ? '' : peak.toFixed(0).padStart(10)}`);
  for (const count of counts) row('concierge-ctl --all', count, await quickest(() => byUs(count)));
  row('loop of python3', looped, await quickest(() => byLoop(looped, `/usr/bin/python3 ${script} ${scratch}/$i.sock`)));
  row('loop of concierge-ctl', looped, await quickest(() => byLoop(looped, `${control} --socket ${scratch}/$i.sock --json info`)));
} finally {
  farm.kill();
  await once(farm, 'exit');
  rmSync(scratch, { recursive: true });
}

// SPDX-License-Identifier: Apache-2.0
/**
 * `info` of many domains of libvirt by one process, beside a loop of `virsh qemu-agent-command` that asks the same six questions:
 * `node bench/many-domains.ts [--quick]`. Both speak libvirt's protocol with the same daemon, which is a double whose agents answer at once: what is
 * compared is the host's side, not the guests. Needs virsh.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const quick = process.argv.includes('--quick');
const counts = quick ? [10, 100] : [10, 100, 1000];
const looped = quick ? 5 : 20;
const rounds = quick ? 2 : 5;
const control = resolve(import.meta.dirname, '../bin/concierge-ctl');
const questions = ['guest-info', 'guest-get-host-name', 'guest-get-osinfo', 'guest-get-time', 'guest-get-timezone', 'guest-fsfreeze-status'];
const scratch = mkdtempSync(join(tmpdir(), 'bench-domains-'));

interface Use {
  readonly seconds: number;
  readonly peak?: number;
}

async function byUs(uri: string, count: number): Promise<Use> {
  const useFile = join(scratch, 'use');
  const began = performance.now();
  const { stdout } = await run(control, ['--libvirt', '*', '--connect', uri, '--json', 'info'], {
    maxBuffer: 1 << 30, env: { ...process.env, USE_FILE: useFile, NODE_OPTIONS: `--require ${join(import.meta.dirname, 'lib/report-use.cjs')}` },
  });
  const seconds = (performance.now() - began) / 1000;
  if (stdout.trimEnd().split('\n').filter((line) => (JSON.parse(line) as { readonly status: number }).status === 0).length !== count) throw new Error('not all domains answered');
  return { seconds, peak: Number(readFileSync(useFile, 'utf8').split(' ')[0]) / 1024 };
}

async function byVirsh(uri: string): Promise<Use> {
  const began = performance.now();
  const asked = questions.map((name) => `virsh -c '${uri}' qemu-agent-command guest$i '{"execute": "${name}"}' >/dev/null || exit 1`).join('; ');
  await run('sh', ['-c', `for i in $(seq 0 ${looped - 1}); do ${asked}; done`]);
  return { seconds: (performance.now() - began) / 1000 };
}

const best = (one: Use | undefined, other: Use): Use => (one === undefined || other.seconds < one.seconds ? other : one);

/** So many domains, asked in turn by both: whatever else runs here is in both. */
async function compare(count: number): Promise<readonly [ours: Use, theirs: Use | undefined]> {
  const directory = mkdtempSync(join(scratch, 'farm-'));
  const farm = spawn(process.execPath, [join(import.meta.dirname, 'lib/libvirt-farm.ts'), directory, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(farm.stdout, 'data');
    const uri = `qemu:///system?socket=${directory}/libvirt-sock`;
    let [ours, theirs]: [Use | undefined, Use | undefined] = [undefined, undefined];
    for (let round = 0; round < rounds; round += 1) {
      ours = best(ours, await byUs(uri, count));
      if (count >= looped) theirs = best(theirs, await byVirsh(uri));
    }
    return [ours ?? { seconds: 0 }, theirs];
  } finally {
    farm.kill();
    await once(farm, 'exit');
  }
}

try {
  console.log(`info of domains, the quickest of ${rounds} rounds            s    ms each   peak MiB`);
  const row = (name: string, count: number, { seconds, peak }: Use): void =>
    console.log(`${`${name}, ${count} domains`.padEnd(50)}${seconds.toFixed(2).padStart(6)}${((seconds * 1000) / count).toFixed(2).padStart(10)}${peak === undefined ? '' : peak.toFixed(0).padStart(10)}`);
  for (const count of counts) {
    const [ours, theirs] = await compare(count);
    row("concierge-ctl --libvirt '*'", count, ours);
    if (theirs !== undefined) row(`loop of virsh, beside ${count}`, looped, theirs);
  }
} finally {
  rmSync(scratch, { recursive: true });
}

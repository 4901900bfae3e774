// SPDX-License-Identifier: Apache-2.0
/**
 * The suite of virtual machines: `node test/vm/run.ts [--host=bookworm|trixie|trixie-backports] [--guest=6.1|6.12|7.3] [--kept] [--record]`,
 * with `--kept` before agents that have a keeper, and whatever else vitest takes, names of files first of all. `--without-libvirt` is
 * for files of raw QEMU: such a host is there in seconds. `--record` keeps what whole files have shown in test/vm/results, and
 * writes docs/compatibility.md.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kept } from './lab/keeper.ts';
import * as pair from './lab/pair.ts';
import { record, writePage, type Report } from './lab/record.ts';

const { env } = process;
const rest: string[] = [];
let { host, guest } = pair;
let [isKept, isRecorded] = [kept, false];
for (const word of process.argv.slice(2)) {
  const [, option, value = ''] = /^--(host|guest)=(.*)$/.exec(word) ?? [];
  if (option === 'host') host = pair.theOne('host', pair.hosts, value);
  else if (option === 'guest') guest = pair.theOne('guest', pair.guests, value);
  else if (word === '--kept') isKept = true;
  else if (word === '--without-libvirt') env['CONCIERGE_TEST_VM_LIBVIRT'] = '0';
  else if (word === '--record') isRecorded = true;
  else rest.push(word);
}
// A part of a file says nothing of the file.
if (isRecorded && rest.some((word) => /^(-t|--testNamePattern|--shard)\b/.test(word))) throw new Error('--record takes whole files');
Object.assign(env, { CONCIERGE_TEST_VM_HOST: host, CONCIERGE_TEST_VM_GUEST: guest, ...(isKept && { CONCIERGE_TEST_VM_KEPT: '1' }) });
process.exitCode = isRecorded ? recorded() : vitest();

function vitest(...words: readonly string[]): number {
  return spawnSync('npx', ['vitest', 'run', '--project', 'vm', ...rest, ...words], { stdio: 'inherit', env }).status ?? 1;
}

function recorded(): number {
  const folder = mkdtempSync(join(tmpdir(), 'concierge-vm-run-'));
  const [report, observed] = [join(folder, 'report.json'), join(folder, 'observed')];
  env['CONCIERGE_TEST_VM_OBSERVED'] = observed;
  try {
    const status = vitest('--reporter=default', '--reporter=json', `--outputFile=${report}`);
    record({
      pair: `${host}+${guest}`,
      isKept,
      date: new Date().toISOString().slice(0, 10),
      report: JSON.parse(readFileSync(report, 'utf8')) as Report,
      observed: existsSync(observed) ? readFileSync(observed, 'utf8') : '',
    });
    writePage();
    return status;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

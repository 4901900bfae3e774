// SPDX-License-Identifier: Apache-2.0
/**
 * The suite of virtual machines: `node test/vm/run.ts [--host=bookworm|trixie|trixie-backports] [--guest=6.1|6.12|7.3] [--kept]`,
 * with `--kept` before agents that have a keeper, and whatever else vitest takes, names of files first of all. `--without-libvirt` is
 * for files of raw QEMU: such a host is there in seconds.
 */
import { spawnSync } from 'node:child_process';
import { guests, hosts, theOne } from './lab/pair.ts';

const { env } = process;
const rest: string[] = [];
for (const word of process.argv.slice(2)) {
  const [, option, value = ''] = /^--(host|guest)=(.*)$/.exec(word) ?? [];
  if (option === 'host') env['CONCIERGE_TEST_VM_HOST'] = theOne('host', hosts, value);
  else if (option === 'guest') env['CONCIERGE_TEST_VM_GUEST'] = theOne('guest', guests, value);
  else if (word === '--kept') env['CONCIERGE_TEST_VM_KEPT'] = '1';
  else if (word === '--without-libvirt') env['CONCIERGE_TEST_VM_LIBVIRT'] = '0';
  else rest.push(word);
}
process.exitCode = spawnSync('npx', ['vitest', 'run', '--project', 'vm', ...rest], { stdio: 'inherit', env }).status ?? 1;

// SPDX-License-Identifier: Apache-2.0
/**
 * Runs files of this suite for pairs of host and guest, one machine at a time, and writes docs/compatibility.md:
 * `node test/vm/matrix.ts [--pairs=trixie-backports+7.3,trixie+6.12] [--files=channels,libvirt] [--kept]`. What has been run before
 * stays in test/vm/results; with `--pairs=` nothing is run and the page is written anew.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { guests, hosts, theOne } from './lab/pair.ts';
import { writePage } from './lab/record.ts';

const repository = resolve(import.meta.dirname, '../..');

const all = Object.keys(hosts).flatMap((host) => Object.keys(guests).map((guest) => `${host}+${guest}`));
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: all.join(',') },
    files: { type: 'string', default: 'reference-agent,channels,libvirt,libvirt-client,package-freeze,file-systems' },
    kept: { type: 'boolean', default: false },
  },
});
const words = (text: string): string[] => text.split(',').filter((word) => word !== '');

for (const pair of words(values.pairs)) {
  const [host = '', guest = ''] = pair.split('+');
  theOne('host', hosts, host);
  theOne('guest', guests, guest);
  for (const file of words(values.files)) {
    const env = { ...process.env, ...(file === 'file-systems' && { CONCIERGE_TEST_VM_FILE_SYSTEMS: '1' }) };
    console.log(`== ${host} with ${guest}: ${file}`);
    const options = [`--host=${host}`, `--guest=${guest}`, ...(values.kept ? ['--kept'] : []), '--record'];
    // Results say what failed.
    spawnSync(process.execPath, [join(import.meta.dirname, 'run.ts'), ...options, `test/vm/${file}.test.ts`], { stdio: 'inherit', env, cwd: repository });
  }
}
writePage();

// SPDX-License-Identifier: Apache-2.0
/**
 * `concierge-ctl cp` over the virtio-serial port of a virtual machine, beside a host in C that does nothing with the bytes (*raw*):
 * `node bench/vm-copy.ts [--quick]`, as root, after `npm run build`. The files lie in memory on both sides. The machine is emulated
 * (TCG): compare the rows, not the figures with those of real machines. Needs gcc.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { DEFAULT_PIECE } from '../client/piece.ts';
import { AgentUnit } from '../test/vm/lab/agent-unit.ts';
import { installPackages, missingForLab } from '../test/vm/lab/host.ts';
import { Machine } from '../test/vm/lab/machine.ts';
import { agentPayload } from '../test/vm/lab/payload.ts';
import { copyByUs, copyInC, digest, fillWithNoise, MiB, printFigures, printTitle, processorSeconds, type Copied, type Figures } from './lib/copies.ts';

const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 3;
const size = (quick ? 64 : 1024) * MiB;
const missing = missingForLab();
if (missing !== undefined) throw new Error(`the lab ${missing}`);
await installPackages();

const [inGuest, written] = ['/srv/source', '/srv/target'];
// The one behind counts.
const machine = await Machine.boot({ payload: await agentPayload(), devices: ['-m', '3072'] });
const socket = join(machine.directory, 'agent.sock');
const scratch = mkdtempSync('/dev/shm/bench-copy-');
const [source, target] = [join(scratch, 'source'), join(scratch, 'target')];

async function measure(pid: string, copy: () => Promise<Copied>): Promise<Figures> {
  const time = async (): Promise<number> => processorSeconds(await machine.shell.run(`cat /proc/${pid}/stat`));
  await machine.shell.run(`rm -f ${written}; echo 5 > /proc/${pid}/clear_refs`);
  const before = await time();
  const copied = await copy();
  const agentTime = (await time()) - before;
  return { ...copied, agentTime, agent: Number(await machine.shell.run(`grep -oP '^VmHWM:\\s+\\K\\d+' /proc/${pid}/status`)) / 1024 };
}

/** @throws when the copy is not what was copied */
async function check(file: 'there' | 'here'): Promise<void> {
  const copied = file === 'here' ? await digest(target) : (await machine.shell.run(`sha1sum < ${written}`)).split(' ')[0];
  if (copied !== expected) throw new Error('a file arrived changed');
}

let expected = '';
try {
  await machine.shell.run('mount -t tmpfs -o size=2300m none /srv; systemctl stop qemu-guest-agent; systemctl mask --quiet --runtime qemu-guest-agent');
  const agent = await AgentUnit.start(machine.shell, 'concierge', '--retry-path');
  await fillWithNoise(source, size);
  expected = await digest(source);
  await copyByUs(socket, source, `guest:${inGuest}`, { bytes: size, scratch });
  const pid = await agent.processId();

  printTitle(size, rounds);
  const ways: readonly (readonly [name: string, copy: () => Promise<Copied>, check?: () => Promise<void>])[] = [
    ['read, raw', () => copyInC(socket, ['read', inGuest, String(DEFAULT_PIECE)])],
    ['cp guest:file file', () => copyByUs(socket, `guest:${inGuest}`, target, { bytes: size, scratch }), () => check('here')],
    ['write, raw', () => copyInC(socket, ['write', written, String(DEFAULT_PIECE), String(size)])],
    ['cp file guest:file', () => copyByUs(socket, source, `guest:${written}`, { bytes: size, scratch }), () => check('there')],
  ];
  for (const [name, copy, checked] of ways) {
    const figures: Figures[] = [];
    for (let round = 0; round < rounds; round += 1) {
      figures.push(await measure(pid, copy));
      await checked?.();
    }
    printFigures(name, figures, 1);
  }
} finally {
  await machine.destroy();
  rmSync(scratch, { recursive: true, force: true });
}
process.exit(0);

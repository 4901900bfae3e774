// SPDX-License-Identifier: Apache-2.0
/**
 * What the installed service costs in a virtual machine, beside Debian's `qemu-guest-agent` in the same guest: from the start
 * of the unit to the first answer on the host's socket, and memory. `node bench/vm.ts [--rounds=5]`, as root, after
 * `npm run build`. The machine is emulated (TCG), which makes everything slow: compare the columns, not the figures with
 * those of real machines.
 */
import { parseArgs } from 'node:util';
import { missingForLab } from '../test/vm/lab/host.ts';
import { dpkg, guestWithReference, type InstalledGuest } from '../test/vm/lab/installed-guest.ts';
import { median } from './lib/median.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);

interface Figures {
  /** Milliseconds, one for each round. */
  readonly start: readonly number[];
  /** Kilobytes. */
  readonly memory: Readonly<Record<'Rss' | 'Pss' | 'Anonymous', number>>;
  /** Context switches of all threads in the first 10 s without a request that had the fewest. */
  readonly switches: number;
}

/** From the moment in which systemd begins to start the unit to that in which the host has the answer. */
async function start({ run, host }: InstalledGuest, unit: string): Promise<number> {
  await run(`systemctl stop ${unit}`);
  const answered = host.answered().then(() => performance.now());
  await run(`systemctl start --no-block ${unit}`);
  const at = await answered;
  // The guest's clock is not the host's: the agent tells it, and the answer came in the middle of asking, near enough.
  const asked = performance.now();
  const guestClock = Number(BigInt((await host.ask('guest-get-time')) as number) / 1000n) / 1000;
  const now = (asked + performance.now()) / 2;
  const began = Number(await run(`date +%s%6N -d "$(systemctl show -P InactiveExitTimestamp --timestamp=us+utc ${unit})"`)) / 1000;
  return guestClock - (now - at) - began;
}

async function memory({ run }: InstalledGuest, pid: string): Promise<Figures['memory']> {
  const text = await run(`cat /proc/${pid}/smaps_rollup`);
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  return { Rss: kilobytes('Rss'), Pss: kilobytes('Pss'), Anonymous: kilobytes('Anonymous') };
}

async function measure(guest: InstalledGuest, unit: string): Promise<Figures> {
  const starts: number[] = [];
  for (let round = 0; round < rounds; round += 1) starts.push(await start(guest, unit));
  const pid = await guest.run(`systemctl show -P MainPID ${unit}`);
  const count = `cat /proc/${pid}/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'`;
  let switches = Number.POSITIVE_INFINITY;
  // Until the heap is tidied and the threads for files have ended.
  for (let window = 0; switches !== 0 && window < 24; window += 1) {
    const [first, last] = (await guest.run(`${count}; sleep 10; ${count}`)).split('\n').map(Number);
    switches = Math.min(switches, Math.abs((last ?? 0) - (first ?? 0)));
  }
  return { start: starts, memory: await memory(guest, pid), switches };
}

function table(ours: Figures, reference: Figures): string {
  const mebibytes = (kilobytes: number): string => (kilobytes / 1024).toFixed(1);
  const list = (numbers: readonly number[]): string => [...numbers].sort((a, b) => a - b).map((number) => number.toFixed(0)).join(' ');
  const rows: readonly (readonly [string, string, string])[] = [
    ['in a virtual machine', 'ours', 'qemu-guest-agent'],
    ['start of the unit to the first answer, ms (median)', median(ours.start).toFixed(0), median(reference.start).toFixed(0)],
    ['  all rounds', list(ours.start), list(reference.start)],
    ...(['Rss', 'Pss', 'Anonymous'] as const).map((name) => [`${name}, MiB`, mebibytes(ours.memory[name]), mebibytes(reference.memory[name])] as const),
    ['context switches in 10 s, idle', String(ours.switches), String(reference.switches)],
  ];
  return rows.map(([name, mine, theirs]) => `${name.padEnd(52)} ${mine.padStart(32)} ${theirs.padStart(32)}`).join('\n');
}

const missing = missingForLab();
if (missing !== undefined) throw new Error(`the lab ${missing}`);
const guest = await guestWithReference();
try {
  const reference = await measure(guest, 'qemu-guest-agent');
  await guest.run(dpkg(`--install ${guest.packages.ours}`));
  await guest.host.answered();
  console.log(table(await measure(guest, 'concierge-ga'), reference));
} finally {
  await guest.machine.destroy();
}
process.exit(0);

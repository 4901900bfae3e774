// SPDX-License-Identifier: Apache-2.0
/** `freezes.ts SEED COUNT RELEASE COMMAND...`: the same freezes by ours and by the agent of COMMAND, one after the other, behind `enter.sh`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { onlyKernelFileSystems } from '../system/lib/only-kernel.ts';
import { AgentProcess } from '../wire/lib/agent-process.ts';
import { ownCommand } from './agents.ts';
import { agrees } from './explanation.ts';
import { Random } from './random.ts';

onlyKernelFileSystems();
const [seed = 1, count = 1] = process.argv.slice(2, 4).map(Number);
const [release, ...reference] = process.argv.slice(4);

const mountPoints = [['ext4', 'one', 32], ['ext4', 'two', 32], ['btrfs', 'three', 160]].map(([type, name, megabytes]) => {
  const [image, mountPoint] = [`/mnt/${name}.image`, `/mnt/${name}`];
  writeFileSync(image, '');
  truncateSync(image, Number(megabytes) * 1024 * 1024);
  execFileSync(`mkfs.${type}`, ['-q', image]);
  mkdirSync(mountPoint);
  execFileSync('mount', ['-o', 'loop', image, mountPoint]);
  return mountPoint;
});

function requests(random: Random): string[] {
  const make = (): string => {
    const kind = random.below(10);
    if (kind < 2) return '{"execute":"guest-fsfreeze-freeze"}';
    if (kind < 4) return JSON.stringify({ execute: 'guest-fsfreeze-freeze-list', arguments: random.oneIn(6) ? {} : { mountpoints: random.several(0, 3, () => random.pick(mountPoints)) } });
    if (kind < 6) return '{"execute":"guest-fsfreeze-thaw"}';
    if (kind < 8) return '{"execute":"guest-fsfreeze-status"}';
    if (kind < 9) return JSON.stringify({ execute: 'guest-fstrim', arguments: random.oneIn(2) ? {} : { minimum: random.pick([0, 4096, 1048576]) } });
    return JSON.stringify({ execute: random.pick(['guest-ping', 'guest-get-host-name', 'guest-file-open', 'guest-get-timezone']) });
  };
  return [...random.several(3, 12, make), '{"execute":"guest-fsfreeze-thaw"}', '{"execute":"guest-fsfreeze-status"}'];
}

/** How much was trimmed depends on who came first. */
const general = (line: string): string => line.replace(/"trimmed": \d+/g, '"trimmed": N').replace(/"minimum": \d+/g, '"minimum": N');

async function answers(command: readonly string[], words: readonly string[], asked: readonly string[]): Promise<string[]> {
  const agent = await AgentProcess.start({ command, words, directory: mkdtempSync('/run/differential-') });
  try {
    const client = await agent.connect();
    const all: string[] = [];
    for (const request of asked) all.push(general(await client.ask(`${request}\n`)));
    client.close();
    return all;
  } finally {
    await agent.stop();
  }
}

const deviations: object[] = [];
for (let i = 0; i < count && deviations.length === 0; i += 1) {
  const asked = requests(new Random(seed + i));
  const ours = await answers(ownCommand, ['--hook-directory='], asked);
  const theirs = await answers(reference, [], asked);
  const at = ours.findIndex((line, one) => !agrees(line, theirs[one] ?? '', release === '11.1'));
  if (at >= 0) deviations.push({ seed: seed + i, asked: asked.slice(0, at + 1), ours: ours[at], theirs: theirs[at] });
}
console.log(JSON.stringify(deviations));

// SPDX-License-Identifier: Apache-2.0
/** What the plan of a freeze and docs/freeze.md say of each file system, held against a kernel. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainFailures } from './lab/explain.ts';
import { askKernel, fileSystems, mountAll, SIZE_MEBIBYTES } from './lab/file-systems.ts';
import { installPackages } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import { Machine } from './lab/machine.ts';
import { observe } from './lab/observed.ts';
import { AGENT, agentPayload } from './lab/payload.ts';

/** Another image to make: the continuous tests have no time for it. */
const lacksTime = process.env['CONCIERGE_TEST_VM_FILE_SYSTEMS'] === undefined ? 'needs CONCIERGE_TEST_VM_FILE_SYSTEMS=1' : undefined;
const missing = lacking('file-systems') ?? lacksTime;

interface Plan {
  readonly levels: readonly (readonly { readonly mountPoint: string }[])[];
  readonly leftOut: readonly { readonly mountPoint: string; readonly reason: string }[];
}

describe.skipIf(missing !== undefined)(`file systems of this kernel${missing === undefined ? '' : ` (${missing})`}`, { timeout: 1_800_000 }, () => {
  let machine: Machine;
  let directory: string;
  let plan: Plan;
  const states = new Map<string, string>();
  const seen = new Map<string, ReadonlyMap<string, string>>();

  beforeAll(async () => {
    await installPackages();
    directory = mkdtempSync(join(tmpdir(), 'concierge-file-systems-'));
    const disk = join(directory, 'disk.img');
    writeFileSync(disk, '');
    truncateSync(disk, fileSystems.length * SIZE_MEBIBYTES * 1024 * 1024);
    machine = await Machine.boot({
      kind: 'file-systems',
      payload: await agentPayload(),
      devices: ['-drive', `file=${disk},if=none,id=disk,format=raw,cache=unsafe,discard=unmap`, '-device', 'virtio-blk-pci,drive=disk,serial=disk'],
    });
    observe('kernel of the file systems', await machine.shell.run('uname -rv'));
    await machine.shell.run('modprobe -a dm_mod && udevadm settle');
    const told = await machine.shell.run(mountAll('/dev/disk/by-id/virtio-disk'), 900_000);
    for (const line of told.split('\n')) {
      const [, type = '', state = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
      states.set(type, state);
    }
    plan = JSON.parse(await machine.shell.run(`${AGENT} freeze --dry-run --json 2>/dev/null`)) as Plan;
  }, 1_800_000);
  explainFailures(() => machine);
  afterAll(async () => {
    await machine?.destroy();
    rmSync(directory, { recursive: true, force: true });
  });

  const mounted = (type: string): boolean => states.get(type) === 'mounted';
  it.for(fileSystems)('$type is frozen where the plan says so, once, and nowhere else', async (kind, { skip }) => {
    const { type } = kind;
    if (!mounted(type)) observe(`${type}: freeze`, states.get(type) ?? 'nothing is known');
    skip(!mounted(type), states.get(type));
    const answers = new Map((await machine.shell.run(askKernel(kind), 600_000)).split('\n').map((line) => [line.replace(/ .*/, ''), line.replace(/^\S+ ?/, '')]));
    seen.set(type, answers);
    for (const [what, answer] of answers) observe(`${type}: ${what}`, answer);

    const promised = plan.levels.flat().some(({ mountPoint }) => mountPoint === `/fs/${type}`);
    const reason = plan.leftOut.find(({ mountPoint }) => mountPoint === `/fs/${type}`)?.reason;
    expect({ promised, reason, freeze: answers.get('freeze') }).toEqual(
      promised ? { promised, reason: undefined, freeze: 'ok' } : { promised, reason: 'not-freezable', freeze: 'Operation not supported' },
    );
    if (promised) expect([answers.get('again'), answers.get('thaw')]).toEqual(['Device or resource busy', 'ok']);
    if (promised && kind.spared === undefined) expect(answers.get('thaw-again')).toBe('Invalid argument');
  });

  it.for([
    ['ext4', 'remembers', (first: number, again: number) => again === 0 && first > 0],
    ['xfs', 'tells the same again', (first: number, again: number) => again === first && first > 0],
    ['btrfs', 'tells less', (first: number, again: number) => again < first],
    ['f2fs', 'discards by itself', (first: number, again: number) => first === 0 && again === 0],
  ] as const)('%s %s at a second trim', ([type, , holds], { skip }) => {
    skip(!mounted(type), states.get(type));
    const answers = seen.get(type);

    expect(holds(Number(answers?.get('trim')), Number(answers?.get('trim-again')))).toBe(true);
  });
});

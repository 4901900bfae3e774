// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import type { MachineDescription } from '../../../adapters/fake/description.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FreezeController } from '../../../core/freeze/controller.ts';
import type { Freezing } from '../../../core/ports/index.ts';
import { contextOf, exchange, guest } from './support/exchange.ts';

function freezingGuest({ excluded = [], ...description }: Partial<MachineDescription> & { readonly excluded?: readonly string[] } = {}, change: (port: Freezing) => Freezing = (port) => port) {
  const machine = createFakeMachine(description);
  const { freezing } = machine.backend.fileSystem ?? {};
  const freeze = new FreezeController({
    freezing: change(freezing!),
    hooks: machine.backend.hooks,
    stateStore: new FakeStateStore(),
    log: new FakeLog(),
    clock: machine.backend.clock,
    settings: { deadlineMs: 600_000, withinMs: 10_000, excluded, unknownMountPoints: 'error' },
  });
  const context = contextOf(machine.backend, { freeze });
  return { machine, log: context.log, ask: (name: string, args?: string) => exchange(context, name, args) };
}

it('freezes, says so, reports on it and thaws', async () => {
  const { ask, log } = freezingGuest();

  expect(await ask('guest-fsfreeze-status')).toBe('"thawed"');
  expect(await ask('guest-fsfreeze-freeze')).toBe('4');
  expect(await ask('guest-fsfreeze-status')).toBe('"frozen"');
  const report = JSON.parse(await ask('__org.concierge_fsfreeze-report')) as { status: string; filesystems: object[] };
  expect(await ask('guest-fsfreeze-thaw')).toBe('4');
  expect(await ask('guest-fsfreeze-status')).toBe('"thawed"');

  expect(report.status).toBe('frozen');
  expect(report.filesystems).toHaveLength(4);
  expect(log.texts('account')).toEqual(['guest-fsfreeze called', 'guest-fsthaw called']);
});

it('tells what a freeze would do, and touches nothing', async () => {
  const { ask } = freezingGuest();

  const plan = JSON.parse(await ask('__org.concierge_fsfreeze-plan', '{"mountpoints": ["/boot", "/proc", "/dta"]}')) as Record<string, object[]>;

  expect(plan['filesystems']).toEqual([expect.objectContaining({ mountpoint: '/boot', level: 1, 'also-mounted-at': [] })]);
  expect(plan['left-out']).toEqual([expect.objectContaining({ mountpoint: '/proc', reason: 'pseudo' })]);
  expect([plan['unmatched'], plan['covered'], plan['idle-exclusions'], plan['cut-cycles'], plan['hooks']]).toEqual([['/dta'], [], [], [], []]);
  expect(await ask('guest-fsfreeze-status')).toBe('"thawed"');
});

it('tells with the plan which hooks would run, which not and why, what is excluded in vain, and how long writing back may take', async () => {
  const { ask } = freezingGuest(
    { hooks: [{ name: 'db' }, { name: 'odd', refused: 'odd can be written by everybody' }], excluded: ['/gone'] },
    (port) => ({
      survey: async () => (await port.survey()).map((one) => ({ ...one, flushEstimateMs: 12.6 })),
      begin: (wanted) => port.begin(wanted),
      recover: (marker) => port.recover(marker),
      thawEverything: (only, except) => port.thawEverything(only, except),
    }),
  );

  const plan = JSON.parse(await ask('__org.concierge_fsfreeze-plan', '{"mountpoints": ["/boot"]}')) as Record<string, object[]>;

  expect(plan['filesystems']).toEqual([expect.objectContaining({ mountpoint: '/boot', 'flush-estimate-ms': 13 })]);
  expect(plan['idle-exclusions']).toEqual(['/gone']);
  expect(plan['hooks']).toEqual([{ name: 'db' }, { name: 'odd', refused: 'odd can be written by everybody' }]);
});

it('tells no hooks where the machine knows none', async () => {
  const { ask } = freezingGuest({ without: ['hooks'] });

  expect(JSON.parse(await ask('__org.concierge_fsfreeze-plan'))).toMatchObject({ hooks: [] });
});

it('says until when it is frozen', async () => {
  const { ask, machine } = freezingGuest();
  const began = machine.clock.now();
  await ask('guest-fsfreeze-freeze');
  const report = await ask('__org.concierge_fsfreeze-report');
  await ask('guest-fsfreeze-thaw');

  expect(report).toContain(`"deadline-at": ${began + 600_000_000_000n}`);
  expect(await ask('__org.concierge_fsfreeze-report')).not.toContain('deadline-at');
});

it('freezes only what is listed, and nothing for an empty list', async () => {
  const { ask } = freezingGuest();

  expect(await ask('guest-fsfreeze-freeze-list', '{"mountpoints": []}')).toBe('0');
  expect(await ask('guest-fsfreeze-freeze-list', '{"mountpoints": ["/boot", "/boot"]}')).toBe('1');
  expect(await ask('guest-fsfreeze-thaw')).toBe('1');
});

it('thaws 0 file systems where none is frozen', async () => {
  expect(await freezingGuest().ask('guest-fsfreeze-thaw')).toBe('0');
});

it('reports that there was no freeze yet', async () => {
  expect(await freezingGuest().ask('__org.concierge_fsfreeze-report'))
    .toBe('{"status": "thawed", "filesystems": [], "left-out": [], "hooks": []}');
});

it('has no such commands where the backend cannot freeze', async () => {
  const host = guest({ without: ['fileSystem.freezing'] });

  expect(await host.ask('guest-fsfreeze-status')).toBe('error: This backend has no fileSystem.freezing');
});

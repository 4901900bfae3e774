// SPDX-License-Identifier: Apache-2.0
/** What `concierge-ga thaw` does, fenced: thaws what the marker in a state directory lists. */
import { FakeLog } from '../../../adapters/fake/log.ts';
import { linuxClock } from '../../../adapters/linux/facts/clock.ts';
import { LinuxFreezing } from '../../../adapters/linux/freeze/freezing.ts';
import { linuxHooks } from '../../../adapters/linux/programs/hooks.ts';
import { FileStateStore } from '../../../adapters/state-store/state-store.ts';
import { FreezeController } from '../../../core/freeze/controller.ts';
import { fenced } from './fenced.ts';

const [directory = '', hookDirectory = ''] = process.argv.slice(2);
const controller = new FreezeController({
  freezing: fenced(new LinuxFreezing()),
  hooks: linuxHooks({ directory: hookDirectory, timeLimitMs: 20_000 }),
  stateStore: new FileStateStore({ directory, warn: () => {} }),
  log: new FakeLog(),
  clock: linuxClock(),
  settings: { deadlineMs: 60_000, withinMs: 30_000, excluded: ['/'], unknownMountPoints: 'error' },
});
process.stdout.write(`${await controller.thawLeftBehind()}\n`);

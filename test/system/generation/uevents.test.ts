// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { Uevents } from '../../../adapters/linux/announcements/uevents.ts';
import { until } from '../../unit/transport/until.ts';

/** Whoever writes an action there has the kernel tell it of the device. A change of a processor is nothing to anybody. */
const device = '/sys/devices/system/cpu/cpu0/uevent';
const missing = ((): string | undefined => {
  try {
    accessSync(device, constants.W_OK);
    return undefined;
  } catch {
    return `needs to write to ${device}`;
  }
})();

let heard = 0;
let isMarked = false;
let stop = (): void => undefined;

beforeEach(() => {
  heard = 0;
  isMarked = false;
  stop = new Uevents().listen((event) => {
    if (event.get('DEVPATH') === '/devices/system/cpu/cpu0') heard += 1;
    isMarked ||= event.get('SYNTH_ARG_MARK') === String(process.pid);
  });
});

afterEach(() => stop());

/** In one turn of the event loop: nobody reads meanwhile. */
function storm(messages: number): void {
  for (let count = 0; count < messages; count += 1) writeFileSync(device, 'change');
}

const skipped = missing === undefined ? '' : ` (${missing})`;

it.skipIf(missing !== undefined)(`a module of memory's worth of messages is heard while the agent is busy${skipped}`, async () => {
  storm(2000);

  await until(() => heard >= 2000);
});

it.skipIf(missing !== undefined)(`more messages than there is room for are lost, and what comes behind them is heard${skipped}`, async () => {
  const many = 40_000;
  storm(many);

  await until(() => {
    writeFileSync(device, `change 01234567-0123-0123-0123-0123456789ab MARK=${process.pid}`);
    return isMarked;
  });

  expect(heard).toBeLessThan(many);
});

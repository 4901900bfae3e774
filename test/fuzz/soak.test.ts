// SPDX-License-Identifier: Apache-2.0
import { platform } from 'node:os';
import { expect, it } from 'vitest';
import { setup } from '../wire/lib/build.ts';
import { soak } from './soak/run.ts';

/** The first tenths are the agent's warming up: V8 goes on compiling what is asked for again and again for some 150 000 commands. */
const commands = 300_000;

it.skipIf(platform() !== 'linux')(`answers ${commands} commands of ten hosts without growing (needs Linux)`, async () => {
  setup();

  const { resident, lateGrowth, commands: asked } = await soak(commands);

  console.log(`resident after each tenth, KiB: ${resident.join(', ')}`);
  expect(asked).toBeGreaterThanOrEqual(commands);
  expect(lateGrowth).toBeLessThan(0.05);
});

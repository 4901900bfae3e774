// SPDX-License-Identifier: Apache-2.0
import { platform } from 'node:os';
import { expect, it } from 'vitest';
import { setup } from '../wire/lib/build.ts';
import { soak } from './soak/run.ts';

const commands = 100_000;

it.skipIf(platform() !== 'linux')(`answers ${commands} commands of ten hosts without growing (needs Linux)`, async () => {
  setup();

  const { growth, resident, commands: asked } = await soak(commands);

  console.log(`resident after each tenth, KiB: ${resident.join(', ')}`);
  expect(asked).toBeGreaterThanOrEqual(commands);
  // The first tenth of so few is not yet all that the agent ever needs; a million are held to 5 %.
  expect(growth).toBeLessThan(0.15);
});

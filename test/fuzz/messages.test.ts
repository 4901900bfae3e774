// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { fuzzMessages } from './messages/run.ts';

const messages = 60_000;

it(`answers ${messages} generated messages of four hosts once each, also while it freezes`, async () => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed}: node test/fuzz/messages/run.ts ${messages} ${seed}`);

  const tally = await fuzzMessages(messages, seed);

  expect(tally.messages).toBe(messages);
  expect(tally.returned + tally.refused + tally.silent).toBe(messages);
});

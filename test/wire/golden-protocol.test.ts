// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { goldenPing, goldenSync, loadGolden, matches, type GoldenExchange, type GoldenLine } from './golden.ts';
import { NeedsAgent, ProtocolAgent } from './golden-protocol-agent.ts';
import { differenceOf } from './lib/expectation.ts';

const SMALL = 8 * 1024;
const LARGE = 16 * 1024 * 1024;

function answerable(exchange: GoldenExchange): boolean {
  try {
    new ProtocolAgent().send(exchange.request);
    return true;
  } catch (error) {
    if (error instanceof NeedsAgent) return false;
    throw error;
  }
}

function expectLines(actual: readonly Buffer[], expected: readonly GoldenLine[]): void {
  const wrong = actual.findIndex((line, i) => expected[i] === undefined || !matches(line, expected[i]));
  const shown = wrong < 0 ? 'as recorded' : actual[wrong]?.toString('latin1').slice(0, 200);
  const wanted = wrong < 0 ? 'as recorded' : expected[wrong];
  expect({ lines: actual.length, differs: shown }).toEqual({ lines: expected.length, differs: wanted });
}

/** In how large pieces the request comes; the large ones take their time. */
function chunkSizes({ length }: Buffer): readonly number[] {
  if (length > LARGE) return [65536];
  return length > SMALL ? [length, 65536, 4096] : [length, 7, 1];
}

function replay(exchange: GoldenExchange, chunkSize: number): void {
  const agent = new ProtocolAgent();
  const difference = differenceOf(exchange);

  expectLines(agent.send(exchange.request, chunkSize), difference?.responses ?? exchange.responses);

  if (exchange.after_ping !== undefined) {
    expectLines(agent.send(goldenPing, chunkSize), difference?.after_ping ?? exchange.after_ping);
  }
  if (exchange.after_sync !== undefined) {
    expectLines(agent.send(goldenSync(exchange), chunkSize), exchange.after_sync);
  }
}

describe.each(['parse', 'numbers', 'dispatch', 'args', 'limits'])('recorded exchanges of group %s', (group) => {
  for (const exchange of loadGolden(group)) {
    if (group === 'limits' || answerable(exchange)) {
      it(`${exchange.name}: the protocol layer answers as qemu-ga or as the table of differences says`, () => {
        for (const size of chunkSizes(exchange.request)) replay(exchange, size);
      });
    }
  }
});

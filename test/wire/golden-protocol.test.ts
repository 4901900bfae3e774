import { describe, expect, it } from 'vitest';

import { goldenPing, goldenSync, loadGolden, matches, type GoldenExchange, type GoldenLine } from './golden.ts';
import { NeedsAgent, ProtocolAgent } from './golden-protocol-agent.ts';
import { protocolDifferences } from './golden-protocol-differences.ts';

const SMALL = 8 * 1024;

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

function replay(exchange: GoldenExchange, chunkSize: number): void {
  const agent = new ProtocolAgent();
  const difference = protocolDifferences[`${exchange.group}/${exchange.name}`];

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
        const sizes = exchange.request.length > SMALL ? [exchange.request.length, 65536, 4096] : [exchange.request.length, 7, 1];
        for (const size of sizes) replay(exchange, size);
      });
    }
  }
});

describe('the table of protocol differences', () => {
  it('names only recordings that exist', () => {
    const names = ['parse', 'numbers', 'dispatch', 'args', 'limits']
      .flatMap((group) => loadGolden(group))
      .map(({ group, name }) => `${group}/${name}`);

    expect(Object.keys(protocolDifferences).filter((key) => !names.includes(key))).toEqual([]);
  });
});

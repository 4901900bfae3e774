// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, it } from 'vitest';
import { goldenPing, goldenSync, loadGolden, type GoldenExchange, type GoldenLine } from './golden.ts';
import { AgentProcess } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import { LineClient } from './lib/line-client.ts';

/** The answer to the sentinel's own byte, behind everything that was sent before it. */
function resynchronised(sent: Buffer): GoldenLine {
  const line = sent.reduce((count, byte) => count + Number(byte === 0x0a), 1);
  const column = sent.length - sent.lastIndexOf(0x0a);
  const tail = `: JSON parse error, stray '\\uFFFD'"}}`;
  // One column more where the byte ends a number, a word or a recovery: each record of such a kind has its own `after_sync`.
  return column === 1 ? `{"error": {"class": "GenericError", "desc": "${line}:1${tail}` : { tail };
}

/** Everything that has to come: the answers, what a ping brings, and the way out by the sentinel. Nothing else. */
function expected(exchange: GoldenExchange, sent: Buffer, syncAnswer: string): readonly GoldenLine[] {
  const all = { ...exchange, ...differenceOf(exchange) };
  return [...all.responses, ...(all.after_ping ?? []), ...(all.after_sync ?? [resynchronised(sent), syncAnswer])];
}

describe.each(['parse', 'numbers', 'dispatch', 'args', 'limits'])('recorded exchanges of group %s', (group) => {
  let agent: AgentProcess;

  beforeAll(async () => {
    agent = await AgentProcess.start();
  });

  afterAll(async () => {
    await agent.stop();
  });

  for (const exchange of loadGolden(group)) {
    it(`${exchange.name}: the agent answers ${verdict(exchange)}, and nothing more`, async () => {
      const last = exchange.after_sync?.at(-1);
      const recorded = typeof last === 'string' ? /"return": (\d+)/.exec(last)?.[1] : undefined;
      const sync = recorded === undefined ? LineClient.sync() : { ...LineClient.sync(Number(recorded)), request: goldenSync(exchange) };
      const client = await agent.connect();
      const sent = exchange.after_ping === undefined ? exchange.request : Buffer.concat([exchange.request, goldenPing]);

      const lines = await client.exchange(sent, sync);

      expectLines(lines, expected(exchange, sent, sync.answer));
      client.close();
    });
  }
});

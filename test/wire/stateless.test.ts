import { afterAll, beforeAll, describe, it } from 'vitest';
import { goldenPing, goldenSync, loadGolden, type GoldenExchange, type GoldenLine } from './golden.ts';
import { AgentProcess } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import { LineClient } from './lib/line-client.ts';

const resynchronised = `{"error": {"class": "GenericError", "desc": "JSON parse error, stray '\\uFFFD'"}}`;

/** Everything that has to come: the answers, what a ping brings, and the way out by the sentinel. Nothing else. */
function expected(exchange: GoldenExchange, syncAnswer: string): readonly GoldenLine[] {
  const all = { ...exchange, ...differenceOf(exchange) };
  return [...all.responses, ...(all.after_ping ?? []), ...(all.after_sync ?? [resynchronised, syncAnswer])];
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

      expectLines(lines, expected(exchange, sync.answer));
      client.close();
    });
  }
});

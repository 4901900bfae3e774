// SPDX-License-Identifier: Apache-2.0
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import type { LineClient } from './lib/line-client.ts';

/** `-b "guest-ping, x": guest-ping` is what was asked of an agent with these options. */
const optionsOf = ({ name }: GoldenExchange): string => name.slice(0, name.lastIndexOf(': '));

const words = (options: string): string[] => Array.from(options.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '');

/** Names and numbers of this machine in place of those of the recording, and the other way round. */
const local = (line: string): string => line.replace('"host-name": "vm"', `"host-name": "${hostname()}"`);
const withoutTime = (line: string): string => line.replace(/"return": \d{19}\}/, '"return": N}');

interface Info {
  readonly return: { readonly supported_commands: readonly { readonly name: string; readonly enabled: boolean }[] };
}

/** Concierge's own command is one that qemu-ga can't count. */
const enabledOf = (line: string): string =>
  `${(JSON.parse(line) as Info).return.supported_commands.filter(({ name, enabled }) => enabled && name.startsWith('guest-')).length} enabled`;

const groups = Map.groupBy(loadGolden('rpcs'), optionsOf);

describe.each([...groups.keys()])('an agent with %s', (options) => {
  let agent: AgentProcess;
  let client: LineClient;

  beforeAll(async () => {
    agent = await AgentProcess.start({ words: words(options) });
    client = await agent.connect();
  });

  afterAll(async () => {
    client.close();
    await agent.stop();
  });

  for (const exchange of groups.get(options) ?? []) {
    it(`${exchange.name.slice(options.length + 2)}: ${verdict(exchange)}`, async () => {
      const line = await client.ask(exchange.request);

      const expected = (differenceOf(exchange)?.responses ?? exchange.responses)[0];
      if (typeof expected === 'string' && expected.endsWith(' enabled')) expect(enabledOf(line)).toBe(expected);
      else expectLines([withoutTime(line)], [typeof expected === 'string' ? local(expected) : expected!]);
    });
  }
});

// SPDX-License-Identifier: Apache-2.0
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess, scratchDirectory } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import type { LineClient } from './lib/line-client.ts';
import { deviations, shapeOf } from './lib/shape.ts';

const isRoot = process.getuid?.() === 0;
const exchanges = loadGolden('commands');
const ofMachine = ({ note, name }: GoldenExchange): boolean => note === 'machine-specific values' || name.endsWith('+empty-args') || name === 'sync';

/** Members that the recorded machine had no cause to send (docs/commands.md). */
const elsewhere: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'guest-get-users': { 'return[]': 'object', 'return[].user': 'string', 'return[].domain': 'string', 'return[].login-time': 'number' },
  'guest-get-disks': {
    'return[].address.serial': 'string', 'return[].alias': 'string', 'return[].dependencies[]': 'string', 'return[].address.ccw-address': 'object',
  },
  'guest-get-fsinfo': { 'return[].disk[].serial': 'string' },
  'guest-get-osinfo': { 'return.variant': 'string', 'return.variant-id': 'string' },
  'guest-get-diskstats': {},
};

function commandOf({ request }: GoldenExchange): string {
  return (JSON.parse(request.toString()) as { execute: string }).execute;
}

/** Why a record can't be replayed here, as the end of a test's name; empty where it can. */
function obstacle({ name }: GoldenExchange): string {
  if (name.startsWith('set-vcpus') && !isRoot && !name.endsWith('empty')) return ' (needs root)';
  if (name.startsWith('set-memory-blocks') && !isRoot && !name.endsWith('empty')) return ' (needs root)';
  if (name.startsWith('set-vcpus-c') && !existsSync('/sys/devices/system/cpu/cpu1/online')) return ' (needs a second processor that can be taken offline)';
  if (name === 'set-vcpus-cpu0-offline' && existsSync('/sys/devices/system/cpu/cpu0/online')) return ' (needs a first processor that cannot be taken offline)';
  if (/memory-block/.test(name) && !existsSync('/sys/devices/system/memory/memory0')) return ' (needs memory blocks in sysfs)';
  if (name.startsWith('timezone-TZ-A') && !existsSync('/usr/share/zoneinfo/Asia/Kolkata')) return ' (needs tzdata)';
  return '';
}

interface Listed {
  readonly return: { readonly supported_commands: readonly { readonly name: string }[] };
}

const names = (line: string): string[] => (JSON.parse(line) as Listed).return.supported_commands.map((one) => JSON.stringify(one));

describe('the recorded exchanges of every command', () => {
  let agent: AgentProcess;
  let client: LineClient;

  beforeAll(async () => {
    agent = await AgentProcess.start();
    client = await agent.connect();
  });

  afterAll(async () => {
    client.close();
    await agent.stop();
  });

  for (const exchange of exchanges.filter(({ name }) => !/^(timezone|osinfo)-/.test(name))) {
    const recorded = differenceOf(exchange)?.responses ?? exchange.responses;
    it.skipIf(obstacle(exchange) !== '')(`${exchange.name}: ${verdict(exchange)}${obstacle(exchange)}`, async () => {
      const line = await client.ask(exchange.request);

      const expected = recorded[0];
      if (typeof expected !== 'string' || !ofMachine(exchange) || expected.startsWith('{"error"')) expectLines([line], recorded);
      else {
        const known = elsewhere[commandOf(exchange)];
        expect(deviations(shapeOf(JSON.parse(line) as never), shapeOf(JSON.parse(expected) as never), known)).toEqual([]);
        if (commandOf(exchange) === 'guest-info') expect(names(line).filter((one) => one.includes('"guest-'))).toEqual(names(expected));
      }
    });
  }
});

/** `TZ` behind each name: the POSIX one is three and a half hours east. */
const zones: Readonly<Record<string, string>> = { posix: 'XYZ-3:30', bogus: 'No/Such_Zone' };

/** New York is an hour further in summer. */
const seasonal = (line: string): string =>
  new Date().toLocaleString('en-US', { timeZone: 'America/New_York', timeZoneName: 'short' }).endsWith('EDT')
    ? line.replace('"zone": "EST", "offset": -18000', '"zone": "EDT", "offset": -14400')
    : line;

const ofThisKernel = (line: string): string =>
  line
    .replace(/"kernel-release": "[^"]*"/, `"kernel-release": "${os.release()}"`)
    .replace(/"kernel-version": "[^"]*"/, `"kernel-version": "${os.version()}"`)
    .replace(/"machine": "[^"]*"/, `"machine": "${os.machine()}"`);

describe('an agent in another environment', () => {
  const dir = scratchDirectory();

  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  function environmentOf({ name, note }: GoldenExchange): Record<string, string> {
    const zone = /^timezone-TZ-(.*)/.exec(name)?.[1];
    if (zone !== undefined) return { TZ: zones[zone] ?? zone };
    const path = join(dir, name);
    const text = /^QGA_OS_RELEASE file: (".*")$/s.exec(note)?.[1];
    if (text !== undefined) writeFileSync(path, JSON.parse(text) as string);
    if (name === 'osinfo-invalid-utf8') writeFileSync(path, Buffer.from('NAME="caf\xe9"\nID=x\n', 'latin1'));
    return { QGA_OS_RELEASE: path };
  }

  for (const exchange of exchanges.filter(({ name }) => /^(timezone|osinfo)-/.test(name))) {
    it.skipIf(obstacle(exchange) !== '')(`${exchange.name}: ${verdict(exchange)}${obstacle(exchange)}`, async () => {
      const agent = await AgentProcess.start({ environment: environmentOf(exchange) });
      const client = await agent.connect();

      const line = await client.ask(exchange.request);

      client.close();
      await agent.stop();
      const expected = differenceOf(exchange)?.responses ?? exchange.responses;
      expectLines([line], expected.map((one) => (typeof one === 'string' ? seasonal(ofThisKernel(one)) : one)));
    });
  }
});

// SPDX-License-Identifier: Apache-2.0
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess, program, scratchDirectory } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import { pythonJson } from './lib/python-json.ts';
import { until } from './lib/until.ts';

const isRoot = process.getuid?.() === 0;
const exchanges = loadGolden('cli');

/** Files that a record needs and that its note does not show. */
const unshown: Readonly<Record<string, Buffer>> = {
  'conf latin1 path': Buffer.from('[general]\npath=/\xe4\n', 'latin1'),
  '-c twice': Buffer.from('nonsense\n'),
};

const variable: Readonly<Record<string, string>> = { 'conf missing QGA_CONF': '$TMP/cli/nonexist', 'conf is a directory QGA_CONF': '$TMP/cli' };

/** What was looked at while the agent ran. */
const probes: Readonly<Record<string, (folder: string) => string>> = {
  'sock path is a regular file': (folder) => `is socket: ${lstatSync(join(folder, 'regular')).isSocket() ? 'True' : 'False'}`,
  'pidfile without -d': (folder) => `pidfile exists: ${existsSync(join(folder, 'pid')) ? 'True' : 'False'}`,
  'socket permissions': (folder) => `0o${(statSync(join(folder, 's')).mode & 0o777).toString(8)}`,
};

function obstacle({ name }: GoldenExchange): string {
  if (name === 'no arguments' && !isRoot) return ' (needs root: the default state directory)';
  if (name === 'no arguments' && existsSync('/dev/virtio-ports/org.qemu.guest_agent.0')) return ' (needs a machine without a virtio port for an agent)';
  if (name === 'virtio-serial on a regular file' && !isRoot) return ' (needs root: the file is root\'s)';
  if (name === 'vsock-listen 1:1234' && (!existsSync('/dev/vsock') || existsSync('/sys/module/vsock_loopback'))) return ' (needs vsock without its loopback)';
  return '';
}

let tmp: string;
let folder: string;

beforeEach(() => {
  tmp = scratchDirectory();
  folder = join(tmp, 'cli');
  mkdirSync(join(folder, 'adir'), { recursive: true });
  mkdirSync(join(folder, 'st'));
  writeFileSync(join(folder, 'afile'), '');
  writeFileSync(join(folder, 'regular'), '');
});

afterEach(() => {
  rmSync(tmp, { recursive: true });
});

const general = (text: string): string =>
  Buffer.from(text, 'latin1').toString().replaceAll(program, '$EXE').replaceAll(tmp, '$TMP').replace(/^\d+\.\d{6}: /gm, 'TIME: ');

/** Runs the program as it was run for the record, and says what became of it in the record's words. */
async function run(exchange: GoldenExchange, stays: boolean): Promise<string> {
  const { name, note, argv = [] } = exchange;
  const config = /^ config: (".*")$/s.exec(note)?.[1];
  const text = unshown[name] ?? (config === undefined ? undefined : Buffer.from(JSON.parse(config) as string));
  if (text !== undefined) writeFileSync(join(folder, 'conf'), text);
  // A path of 108 bytes, however long the scratch directory's name is.
  const words = argv.map((word) => word.replace('$TMP', tmp)).map((word) => (/b{40}/.test(word) ? word.slice(0, 108).padEnd(108, 'b') : word));
  const environment = { QGA_CONF: (variable[name] ?? '/nowhere').replace('$TMP', tmp) };

  const agent = new AgentProcess({
    ...(name === 'empty environment' ? { command: ['env', '-i', program] } : { environment }),
    allWords: words,
    cwd: folder,
    directory: tmp,
  });
  if (!stays) {
    const { code } = await agent.end();
    return pythonJson({ exit: code, stdout: general(agent.stdout), stderr: general(agent.stderr) });
  }
  const channel = /(?:^-p|^--pa[^=]*=?)(.*)/;
  const path = words.flatMap((word, i) => (channel.test(word) ? [channel.exec(word)?.[1] || (words[i + 1] ?? '')] : []))[0] ?? '';
  const listens = (): boolean => statSync(resolve(folder, path), { throwIfNoEntry: false })?.isSocket() ?? false;
  await until(() => !agent.running || listens() || agent.stderr.includes('trying again'));
  const probe = probes[name];
  const probed = probe === undefined ? {} : { probe: probe(folder) };
  agent.signal('SIGTERM');
  const { code } = await agent.end();
  return pythonJson({ running: true, exit_on_TERM: code, stdout: general(agent.stdout), stderr: general(agent.stderr), ...probed });
}

describe('recorded command lines', () => {
  for (const exchange of exchanges.filter(({ argv }) => argv !== undefined)) {
    const expected = differenceOf(exchange)?.responses ?? exchange.responses;

    it.skipIf(obstacle(exchange) !== '')(`${exchange.name}: ${verdict(exchange)}${obstacle(exchange)}`, async () => {
      let outcome: string;
      // The usual state directory is the whole machine's: another agent may have it for a moment.
      do outcome = await run(exchange, JSON.stringify(expected[0]).includes('running'));
      while (/another agent \(process \d+\) uses the state directory \/var\/run:/.test(outcome));

      expectLines([outcome], expected);
    });
  }
});

describe('recorded state files', () => {
  for (const exchange of exchanges.filter(({ argv }) => argv === undefined)) {
    it(`${exchange.name}: ${verdict(exchange)}`, async () => {
      const state = join(folder, 'qga.state');
      writeFileSync(state, JSON.parse(exchange.request.toString().replaceAll("'", '"')) as string);
      const agent = await AgentProcess.start({ directory: folder });
      const client = await agent.connect();

      const open = [await client.ask(opening), await client.ask(opening)];

      client.close();
      const kept = readdirSync(folder).some((name) => name.startsWith('qga.state.corrupt-'));
      const alive = agent.running;
      await agent.stop();
      // While it runs, the file is ahead of the numbers given out.
      const after = readFileSync(state, 'utf8');
      const outcome = pythonJson({ open, 'state after': after, alive, ...(kept ? { kept } : {}) });
      expectLines([outcome.replace(/\b\d{16}\b/g, 'NOW')], differenceOf(exchange)?.responses ?? exchange.responses);
    });
  }
});

const opening = `${JSON.stringify({ execute: 'guest-file-open', arguments: { path: '/dev/null' } })}\n`;

// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { Agent } from '../../core/agent.ts';
import { handlers } from '../../core/commands/index.ts';
import { FreezeController } from '../../core/freeze/controller.ts';
import { windowsBackend } from '../../adapters/windows/module.ts';
import type { Connection, ConnectionSink } from '../../kit/index.ts';
import { FakeLog, FakeStateStore } from '../../kit/fake/index.ts';
import { goldenPing, goldenSync, loadGolden, matches, type GoldenExchange, type GoldenLine } from '../wire/golden.ts';
import { differenceOf } from '../wire/lib/expectation.ts';
import { listedCommands } from '../../adapters/cli/command-names.ts';
import { doubledDlls } from './doubles.ts';
import { absentCommands } from './golden-differences.ts';
import { after, describe, it } from './runner.ts';
import { vssDlls } from './vss-double.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const backend = windowsBackend({ dlls: { ...doubledDlls, ...vssDlls } });
const log = new FakeLog();
const stateStore = new FakeStateStore();
const freezing = backend.fileSystem?.freezing ?? assert.fail('no freezing');
const freeze = new FreezeController({
  freezing, hooks: undefined, stateStore, log, clock: backend.clock,
  settings: { deadlineMs: 0, withinMs: 0, excluded: [], unknownMountPoints: 'ignore' },
});
const agent = new Agent({ backend, handlers, freeze, log, stateStore, lists: { allow: [], block: [] }, version: '11.1.0' });

/** A host that has one connection for itself. */
class Host implements Connection {
  #sink: ConnectionSink | undefined;
  #bytes = Buffer.alloc(0);
  #changed = Promise.withResolvers<void>();

  start(sink: ConnectionSink): void {
    this.#sink = sink;
  }

  write(bytes: Uint8Array | string): boolean {
    this.#bytes = Buffer.concat([this.#bytes, typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes]);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    return true;
  }

  pause(): void {}
  resume(): void {}
  close(): void {}

  send(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 65_536) this.#sink?.data(bytes.subarray(at, at + 65_536));
  }

  end(): void {
    this.#sink?.closed();
  }

  /** Lines up to and with the one that ends with this text. */
  async linesUntil(last: string): Promise<readonly Buffer[]> {
    while (!this.#bytes.toString('latin1').trimEnd().endsWith(last)) await this.#changed.promise;
    const text = this.#bytes.toString('latin1').slice(0, -1);
    return text.split('\n').map((line) => Buffer.from(line, 'latin1'));
  }
}

// Where it stands depends on what came before.
const resynchronised: GoldenLine = { head: '{"error": {"class": "GenericError", "desc": "', tail: `JSON parse error, stray '\\uFFFD'"}}` };
const syncAnswer = (exchange: GoldenExchange): string => (exchange.after_sync?.at(-1) as string | undefined)?.replace('ÿ', '') ?? '{"return": 1}';

const keyOf = ({ group, name }: GoldenExchange): string => `${group}/${name}`;

function expected(exchange: GoldenExchange): readonly GoldenLine[] {
  const absent = absentCommands[keyOf(exchange)];
  const all = { ...exchange, ...differenceOf(exchange) };
  const responses = absent === undefined ? all.responses : [`{"error": {"class": "CommandNotFound", "desc": "The command ${absent} has not been found"}}`];
  return [...responses, ...(all.after_ping ?? []), ...(all.after_sync ?? [resynchronised, `ÿ${syncAnswer(exchange)}`])];
}

const groups = ['parse', 'numbers', 'dispatch', 'args'];

/** Which of three it is: the bytes of the recording, those of a difference that Linux has too, or a command less. */
function verdict(exchange: GoldenExchange): string {
  const absent = absentCommands[keyOf(exchange)];
  if (absent !== undefined) return `Windows has no ${absent}`;
  const difference = differenceOf(exchange);
  return difference === undefined ? 'the same bytes' : `differs as on Linux (${difference.row})`;
}

for (const group of groups) {
  describe(`recorded exchanges of group ${group} on Windows`, () => {
    for (const exchange of loadGolden(group)) {
      it(`${exchange.name}: ${verdict(exchange)}`, async () => {
        const host = new Host();
        agent.serve(host);

        host.send(Buffer.concat([exchange.request, ...(exchange.after_ping === undefined ? [] : [goldenPing]), goldenSync(exchange)]));
        const lines = await host.linesUntil(syncAnswer(exchange));
        host.end();

        const wanted = expected(exchange);
        lines.forEach((line, index) => {
          const one = wanted[index];
          assert.ok(one !== undefined && matches(line, one), `line ${index + 1}: ${line.toString('latin1').slice(0, 300)} instead of ${JSON.stringify(one)?.slice(0, 300)}`);
        });
        assert.equal(lines.length, wanted.length);
      });
    }
  });
}

describe('what cannot be the same on Windows', () => {
  it('is listed by recordings that exist, and commands that do not', () => {
    const recorded = new Set(groups.flatMap((group) => loadGolden(group).map(keyOf)));
    const known = new Set(listedCommands('windows'));

    for (const [key, command] of Object.entries(absentCommands)) {
      assert.ok(recorded.has(key), key);
      assert.ok(!known.has(command), command);
    }
  });
});

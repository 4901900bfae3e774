// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { kernel32 } from '../../adapters/windows/bindings/kernel32.ts';
import { candidates, environmentBlock, quotedWhereNeeded } from '../../adapters/windows/command-line.ts';
import type { Out } from '../../adapters/windows/koffi.ts';
import { windowsProcesses } from '../../adapters/windows/processes.ts';
import { built } from './doubles.ts';
import { handlesOfProcess } from './handles.ts';
import { after, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const PROCESS_TERMINATE_AND_QUERY = 0x0401;
const STILL_ACTIVE = 259;
const program = built('programs.exe');

/** What somebody writes into a file, once it is there. */
async function contentOf(path: string): Promise<string> {
  for (;;) {
    const said = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (said !== '') return said;
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

describe('programs of guest-exec', () => {
  it('live on when the agent ends, as when it is replaced by a newer one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'concierge-exec-'));
    const agent = join(folder, 'agent.ts');
    const said = join(folder, 'pid');
    const processes = new URL('../../adapters/windows/processes.ts', import.meta.url).href;
    writeFileSync(agent, `
      import { writeFileSync } from 'node:fs';
      const { windowsProcesses } = await import(${JSON.stringify(processes)});
      const child = await windowsProcesses.spawn({ path: ${JSON.stringify(program)}, arguments: ['waits'], output: 'capture', errors: 'capture' });
      writeFileSync(${JSON.stringify(said)}, String(child.pid));
      process.exit(0);`);

    const [code] = (await once(spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--experimental-strip-types', agent], { stdio: 'ignore' }), 'exit')) as [number];
    const handle = kernel32.OpenProcess(PROCESS_TERMINATE_AND_QUERY, 0, Number(readFileSync(said, 'utf8')));
    const state: Out<number> = [0];
    if (handle !== 0n) kernel32.GetExitCodeProcess(handle, state);
    kernel32.TerminateProcess(handle, 0);
    kernel32.CloseHandle(handle);

    assert.equal(code, 0);
    assert.notEqual(handle, 0n, 'the program has gone');
    assert.equal(state[0], STILL_ACTIVE);
  });

  it('what one has left in the background writes on after its end, and nobody hears of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'concierge-left-'));
    const [go, wrote] = [join(folder, 'go'), join(folder, 'wrote')];
    const heard: string[] = [];

    const child = await windowsProcesses.spawn({ path: program, arguments: ['leaves-writer', go, wrote], output: 'capture', errors: 'capture' });
    child.onOutput((_stream, bytes) => heard.push(Buffer.from(bytes).toString()));
    const end = await child.finished;
    writeFileSync(go, '');
    const said = await contentOf(wrote);

    assert.deepEqual(end, { exitCode: 0 });
    assert.equal(said, 'yes');
    assert.equal(heard.join(''), 'done\n');
  });

  it('200 of them leave no handle behind', async () => {
    const run = async (): Promise<void> => {
      const child = await windowsProcesses.spawn({ path: program, arguments: ['copies'], input: Buffer.from('x'), output: 'capture', errors: 'capture' });
      const pieces: string[] = [];
      child.onOutput((_stream, bytes) => pieces.push(Buffer.from(bytes).toString()));
      assert.deepEqual(await child.finished, { exitCode: 0 });
      assert.equal(pieces.join(''), 'x');
    };
    for (let count = 0; count < 10; count += 1) await run();
    const before = handlesOfProcess();

    // Side by side, eight at a time: one takes Wine half a second on a busy machine.
    for (let count = 0; count < 200; count += 8) await Promise.all(Array.from({ length: 8 }, run));

    const now = handlesOfProcess();
    assert.ok(now <= before + 8, `${before} handles before, ${now} after`);
  });

  it('words are quoted where they have to be', () => {
    assert.deepEqual(['plain', '', 'two words', 'a"b', 'dir\\', 'my dir\\', 'a\\"b'].map(quotedWhereNeeded),
      ['plain', '""', '"two words"', '"a\\"b"', 'dir\\', '"my dir\\\\"', '"a\\\\\\"b"']);
  });

  it('a name without a folder is looked for, and its ending may be left out', () => {
    assert.deepEqual(candidates('tool', 'C:\\a;"C:\\b c\\"; ;'), ['.\\tool.com', '.\\tool.exe', 'C:\\a\\tool.com', 'C:\\a\\tool.exe', 'C:\\b c\\tool.com', 'C:\\b c\\tool.exe']);
    assert.deepEqual(candidates('C:\\x.y\\tool', 'C:\\a'), ['C:\\x.y\\tool.com', 'C:\\x.y\\tool.exe']);
    assert.deepEqual(candidates('C:\\tool.exe', ''), ['C:\\tool.exe', 'C:\\tool.exe.com', 'C:\\tool.exe.exe']);
  });

  it('an environment has each name once, in order, and what programs cannot do without', () => {
    const block = environmentBlock(['b=2', 'A=1', 'B=3', '=C:=C:\\x'], { SYSTEMROOT: 'C:\\windows', OTHER: 'no' });

    assert.equal(block.toString('utf16le'), '=C:=C:\\x\0A=1\0B=3\0SYSTEMROOT=C:\\windows\0\0');
  });
});

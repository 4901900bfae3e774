// SPDX-License-Identifier: Apache-2.0
/** `concierge-ctl exec -it` as somebody has it who sits at a terminal: tmux(1) is the terminal, and types. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { AgentProcess } from '../../wire/lib/agent-process.ts';

const run = promisify(execFile);
const ctl = join(import.meta.dirname, '../../../bin/concierge-ctl');
const hasTmux = spawnSync('tmux', ['-V']).status === 0;
const isReady = platform() === 'linux' && hasTmux && existsSync('/bin/bash');

describe.skipIf(!isReady)('a shell in the guest at a terminal here (needs Linux, bash, tmux)', () => {
  let directory: string;
  let agent: AgentProcess;
  let seen = '';

  const tmux = async (...words: readonly string[]): Promise<string> =>
    (await run('tmux', ['-S', join(directory, 'tmux'), '-f', '/dev/null', ...words], { env: { ...process.env, LC_ALL: 'C.UTF-8' } })).stdout;
  const screen = async (): Promise<string> => (seen = await tmux('capture-pane', '-p', '-t', 'here'));
  const type = (...keys: readonly string[]): Promise<string> => tmux('send-keys', '-t', 'here', ...keys);
  const until = (words: string | RegExp): Promise<void> => expect.poll(screen, { timeout: 60_000, interval: 100 }).toMatch(words);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-tmux-'));
    agent = await AgentProcess.start();
  });

  afterEach(async () => {
    await tmux('kill-server').catch(() => undefined);
    await agent.stop();
    rmSync(directory, { recursive: true });
  });

  it('has its size and every change of it, job control and UTF-8, and leaves the terminal as it was', async () => {
    const shell = `${ctl} --socket ${agent.socket} exec -it -e 'PS1=guest> ' -e HISTFILE -- bash --norc --noprofile; echo "status $?"; stty -a; exec sleep 1000`;
    await tmux('new-session', '-d', '-s', 'here', '-x', '80', '-y', '20', shell);
    await until(/^guest>$/m);

    await type('stty size', 'Enter');
    await until(/^20 80$/m);
    await tmux('resize-window', '-t', 'here', '-x', '100', '-y', '30');
    await type('clear; stty size', 'Enter');
    // The window may be told of it later than the key.
    await expect.poll(async () => {
      if (!(await screen()).includes('30 100')) await type('stty size', 'Enter');
      return seen;
    }, { timeout: 60_000, interval: 500 }).toMatch(/^30 100$/m);

    await type('clear; echo "<$(printf "äöü€ %s" x)>"', 'Enter');
    await until(/^<äöü€ x>$/m);

    // Nothing is typed ahead: what comes before `clear` would be echoed first and wiped away.
    await type('clear; echo ready; cat', 'Enter');
    await until(/^ready$/m);
    await type('one', 'Enter');
    await until(/^one\none$/m);
    await type('C-z');
    await until(/Stopped +cat\nguest>/);
    await type('clear; fg', 'Enter');
    await until(/^(?:clear; echo ready; )?cat$/m);
    await type('two', 'Enter');
    await until(/^two\ntwo$/m);
    await type('C-c');
    await until(/\^C\nguest>/);
    await type('echo "was $?"', 'Enter');
    await until(/^was 130$/m);

    await type('clear; echo again; cat', 'Enter');
    await until(/^again$/m);
    await type('three', 'Enter');
    await until(/^three\nthree$/m);
    await type('C-\\');
    await until(/Quit.*\nguest>/);

    await type('exit 7', 'Enter');
    await until(/^status 7$/m);
    await until(/(?<!-)\bicanon\b[^]*(?<!-)\becho\b/);
  });

  it('is hung up by the way out, and nothing of it stays in the guest', async () => {
    await tmux('new-session', '-d', '-s', 'here', '-x', '80', '-y', '20', `${ctl} --socket ${agent.socket} exec -it -e 'PS1=guest> ' -- bash --norc --noprofile; echo "status $?"; exec sleep 1000`);
    await until(/^guest>$/m);
    await type('clear; echo "pid $$"', 'Enter');
    await until(/^pid \d+$/m);
    const pid = Number(/^pid (\d+)$/m.exec(seen)?.[1]);

    await type('Enter', '~', '.');

    await until(/^status 255$/m);
    await expect.poll(() => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')), { timeout: 60_000 }).toBe(false);
  });
});

// SPDX-License-Identifier: Apache-2.0
/** `npm start`: the agent on this machine's own backend, on a socket below the project, and a word on how to talk to it. */
import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

import { isTrustedDirectory } from '../adapters/shared/trust/trusted-directory.ts';

const root = resolve(import.meta.dirname, '..');
const directory = join(root, 'run');
const socket = join(directory, 'concierge.sock');
mkdirSync(directory, { recursive: true, mode: 0o700 });
// A clone may lie where others write (root in the home of a user): the socket does there, the state does not.
const user = process.getuid?.() ?? 0;
const elsewhere = join(user === 0 ? '/run' : (process.env['XDG_RUNTIME_DIR'] ?? tmpdir()), `concierge-ga-start-${user}`);
const state = isTrustedDirectory(directory) ? directory : elsewhere;

const shown = relative(process.cwd(), socket) || socket;
const ctl = `bin/concierge-ctl --socket ${shown}`;

const socketNumber = (): bigint | undefined => statSync(socket, { bigint: true, throwIfNoEntry: false })?.ino;
const before = socketNumber();
const agent = spawn(join(root, 'bin/concierge-ga'), ['-m', 'unix-listen', '-p', socket, '-t', state, ...process.argv.slice(2)], { stdio: 'inherit' });
const onFake = process.argv.some((word, index, words) => word === '--backend=fake' || (word === 'fake' && words[index - 1] === '--backend'));
const meant = onFake ? 'a guest in memory: nothing of this machine is touched' : 'the commands work on this very machine, with the rights of this user: `freeze` freezes its disks';

/** Once a new socket is there the agent serves; where it ends before, it has said why. */
const looking = setInterval(() => {
  if (socketNumber() === before) return;
  clearInterval(looking);
  console.log(`Concierge serves ${shown} (${meant}).`);
  console.log(`Talk to it from a second terminal, in this directory:

  ${ctl} info
  ${ctl} fs
  ${ctl} shell

\`npm run demo\` plays a session with a guest in memory. Ctrl-C ends this one.`);
}, 50);
agent.once('exit', () => clearInterval(looking));
agent.once('error', () => clearInterval(looking));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => agent.kill(signal));
agent.once('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 0 : 1);
});
agent.once('error', (error) => {
  console.error(`could not start bin/concierge-ga: ${error.message}; run \`npm run build\` first`);
  process.exitCode = 1;
});

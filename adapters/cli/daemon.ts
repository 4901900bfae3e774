// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** Set for the process in the background: the descriptor on which the one in the foreground waits for word. */
const variable = 'CONCIERGE_GA_READY_FD';

/** Descriptor of a socket from the service manager (sd_listen_fds(3)): it keeps its number. */
const socketFd = 3;

/**
 * Starts the same program again in a session of its own and waits until it serves or has failed. Answers the exit status
 * of the command in the foreground. (Node can't fork; qemu-ga's parent ends at once and never tells of a failure.)
 */
export async function startInBackground(handedOver: boolean, say: (text: string) => void): Promise<number> {
  const readyFd = handedOver ? socketFd + 1 : socketFd;
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', ...(handedOver ? [socketFd] : []), 'pipe'],
    env: { ...process.env, [variable]: String(readyFd) },
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signal) => resolve(status ?? signal ?? 1));
  });
  const word = await Promise.race([text(child.stdio[readyFd] as Readable), ended.then(() => '')]);
  if (word === 'ready\n') return 0;
  const status = await ended;
  say(word.trim() === '' ? `the process in the background ended without a word (${status})` : word.trim());
  return typeof status === 'number' && status !== 0 ? status : 1;
}

async function text(pipe: Readable): Promise<string> {
  let whole = '';
  pipe.setEncoding('utf8');
  for await (const piece of pipe) whole += String(piece);
  return whole;
}

/** The background's side. */
export interface Foreground {
  /** All is well: the command in the foreground ends with status 0. */
  ready(): void;
  /** Printed there on standard error. */
  say(text: string): void;
}

/** Whom to tell, where this process is the one in the background. Takes the variable out of the environment. */
export function foreground(environment: NodeJS.ProcessEnv): Foreground | undefined {
  const fd = Number(environment[variable]);
  delete environment[variable];
  if (!Number.isInteger(fd) || fd < socketFd) return undefined;
  const tell = (word: string): void => {
    try {
      writeSync(fd, word);
    } catch {
      // Whoever waited has gone.
    }
  };
  return {
    ready: () => {
      tell('ready\n');
      closeSync(fd);
    },
    say: (line) => tell(`${line}\n`),
  };
}

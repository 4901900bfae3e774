// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { basename } from 'node:path';

import { agentErrorOf } from './agent-words.ts';
import { ClientError } from './client-error.ts';
import type { SingleCommands } from './single-commands.ts';

/** Linux passes no argument of more bytes on to a program (MAX_ARG_STRLEN), its closing zero byte included. */
const MOST_ARGUMENT = 128 * 1024 - 1;
/** Base64 of these and what stands around it is less. */
const WRITE_BYTES = 90 * 1024;
/** Bytes of what the program prints beside its answer. */
const MOST_SAID = 64 * 1024;

export interface ByCommandOptions {
  /** The request is quoted for a shell on the way, as `ssh` has one. Default: where the program is `ssh`. */
  readonly throughShell?: boolean;
  /** Bytes of an answer. Default 96 MiB. */
  readonly maxReplyBytes?: number;
}

/**
 * A way to an agent by any program that takes a request as its last argument and prints the answer: `virsh
 * qemu-agent-command NAME`, the same through `ssh HOST`, or through `kubectl exec POD -c compute --` for KubeVirt.
 *
 * @param words the program and its arguments; no shell reads them
 */
export function byCommand([program = '', ...words]: readonly string[], options: ByCommandOptions = {}): SingleCommands {
  const throughShell = options.throughShell ?? basename(program) === 'ssh';
  const shown = (request: string): string => (throughShell ? `'${request.replaceAll("'", String.raw`'\''`)}'` : request);
  return {
    maxRequestBytes: MOST_ARGUMENT - (throughShell ? 2 : 0),
    writeBytes: WRITE_BYTES,
    ask: (request, signal) => answerOf(program, [...words, shown(request)], signal, options.maxReplyBytes ?? 96 * 1024 * 1024),
  };
}

function answerOf(program: string, words: readonly string[], signal: AbortSignal, maxReplyBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'], signal });
    const printed: Buffer[] = [];
    let length = 0;
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxReplyBytes) {
        reject(new ClientError('too-large', `an answer of more than ${maxReplyBytes} bytes`));
        child.kill();
      } else printed.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < MOST_SAID) said += text;
    });
    child.once('error', (error: NodeJS.ErrnoException) => reject(new ClientError('closed', whyNot(program, error), { cause: error })));
    child.once('close', (status, killed) => {
      if (status === 0) resolve(withoutBlanks(Buffer.concat(printed)));
      else reject(failureOf(program, said, killed ?? `status ${status ?? 0}`));
    });
  });
}

/** virsh ends an answer with an empty line; an answer is one line. */
function withoutBlanks(printed: Buffer): Buffer {
  let end = printed.length;
  while (end > 0 && (printed[end - 1] ?? 0) <= 0x20) end -= 1;
  return printed.subarray(0, end);
}

function whyNot(program: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `there is no program ${program}`;
  return code === 'E2BIG' ? `the request is too long for ${program}` : `${program} cannot be run: ${code ?? message}`;
}

function failureOf(program: string, said: string, ended: string): ClientError {
  const text = said.trim().replace(/^error: /gm, '');
  return agentErrorOf(text) ?? new ClientError('closed', `${basename(program)}: ${text === '' ? `it ended with ${ended} and said nothing` : text}`);
}

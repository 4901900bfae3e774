// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { AgentError } from '../../core/errors/agent-error.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { systemDirectory } from './dll.ts';

const CP_OEMCP = 1;

const outputLimit = 256 * 1024;

/** A program of the system by its whole path: PATH may name a folder that others can write to. */
export const systemProgram = (name: string): string => join(systemDirectory(), name);

export interface ProgramEnd {
  /** `undefined` when it was ended at the time limit. */
  readonly code: number | undefined;
  /** Standard output and standard error, the first 256 KiB, as bytes and as text. */
  readonly bytes: Buffer;
  readonly output: string;
}

/** Runs a program of the system to its end or to the time limit. @throws failed error where it could not be started */
export function runProgram(path: string, args: readonly string[], limitMs: number): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    const pieces: Buffer[] = [];
    let kept = 0;
    const keep = (piece: Buffer): void => {
      if (kept < outputLimit) pieces.push(piece);
      kept += piece.length;
    };
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      child.kill();
    }, limitMs);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(AgentError.failed(`failed to run ${path}: ${error.message}`, error));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const bytes = Buffer.concat(pieces).subarray(0, outputLimit);
      resolve({ code: expired ? undefined : (code ?? 1), bytes, output: textFrom(bytes) });
    });
  });
}

/**
 * UTF-16 where a program writes it to a pipe, as some of the system's do, or else the code page of consoles, in which the
 * system's programs speak their language. A zero byte is in UTF-16 alone: every line has its end in it.
 */
export function textFrom(bytes: Buffer): string {
  if (bytes.includes(0)) return bytes.toString('utf16le').replace(/^\ufeff/, '');
  const text = Buffer.alloc(bytes.length * 2);
  const length = kernel32.MultiByteToWideChar(CP_OEMCP, 0, bytes, bytes.length, text, bytes.length);
  return text.toString('utf16le', 0, length * 2);
}

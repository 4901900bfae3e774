import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { AgentError } from '../../core/errors/agent-error.ts';

const outputLimit = 256 * 1024;

/** A program of the system by its whole path: PATH may name a folder that others can write to. */
export const systemProgram = (name: string): string => join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', name);

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

/** UTF-16 where a program writes it to a pipe, as defrag and wevtutil do; else bytes of which the ASCII ones are certain. */
function textFrom(bytes: Buffer): string {
  const zeros = bytes.subarray(0, 512).filter((byte, index) => index % 2 === 1 && byte === 0).length;
  return zeros > Math.min(bytes.length, 512) / 8 ? bytes.toString('utf16le') : bytes.toString('latin1');
}

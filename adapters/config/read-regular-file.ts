import { readFileSync, statSync } from 'node:fs';
import { AgentError } from '../../core/errors/agent-error.ts';
import { systemError } from '../shared/system-error.ts';
import { readTrusted } from '../shared/trust/trusted-file.ts';

/** A configuration is some lines; what is longer is none. */
const longest = 1024 * 1024;

/**
 * The bytes of a small regular file that nobody else may have written, for it says what the agent runs as root.
 * Synchronous: used at the start, before there is anything to delay.
 * @throws os error, `Not a regular file`, or the sentence of the rule of trusted places
 */
export function readRegularFile(path: string): Uint8Array {
  if (process.platform !== 'win32') return readTrusted(path, longest);
  try {
    if (!statSync(path).isFile()) throw AgentError.failed('Not a regular file');
    return readFileSync(path);
  } catch (error) {
    throw systemError(error, path);
  }
}

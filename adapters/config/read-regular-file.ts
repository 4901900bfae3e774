import { readFileSync, statSync } from 'node:fs';
import { AgentError } from '../../core/errors/agent-error.ts';
import { systemError } from '../shared/system-error.ts';

/**
 * The bytes of a small regular file. Synchronous: used at the start, before there is anything to delay.
 * @throws os error, or `Not a regular file`
 */
export function readRegularFile(path: string): Uint8Array {
  try {
    if (!statSync(path).isFile()) throw AgentError.failed('Not a regular file');
    return readFileSync(path);
  } catch (error) {
    throw systemError(error, path);
  }
}

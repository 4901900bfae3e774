import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../core/errors/posix-errno.ts';
import { textFromBytes } from './text.ts';

/*
 * Files that the kernel makes up (/proc, /sys) or that lie in memory (/run): read at once and synchronously, for no
 * disk can delay them. Files on a disk are not read with these.
 */

/** The os error behind what node:fs threw. */
export function fileError(error: unknown): AgentError {
  if (AgentError.is(error)) return error;
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    const { syscall, path } = error as NodeJS.ErrnoException;
    return posixErrorOf(error.errno, { ...(syscall !== undefined && { syscall }), ...(path !== undefined && { path }) });
  }
  return withContext('unexpected failure', error);
}

/** A failed error `TEXT: STRERROR`, a whole sentence that nobody puts another one in front of. */
export const failedBecause = (text: string, error: unknown): AgentError =>
  AgentError.failed(withContext(text, fileError(error)).message, error);

/** @throws os error of open(2) or read(2) */
export function readText(path: string): string {
  try {
    return textFromBytes(readFileSync(path));
  } catch (error) {
    throw fileError(error);
  }
}

/** As `readText`, without the white space around it; `undefined` where it can't be read, for whatever reason. */
export function attribute(path: string): string | undefined {
  try {
    return textFromBytes(readFileSync(path)).trim();
  } catch {
    return undefined;
  }
}

/** Names in a directory, sorted. @throws os error of opendir(3) */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    throw fileError(error);
  }
}

/** As `namesIn`, empty where it can't be read. */
export function namesInIfAny(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

/** Last component of what a link points to: the driver's name behind `driver`. */
export function linkName(path: string): string | undefined {
  try {
    const target = readlinkSync(path);
    return target.slice(target.lastIndexOf('/') + 1);
  } catch {
    return undefined;
  }
}

/** Where a path really leads within `root`, as a path below `root`; `undefined` where it leads nowhere. */
export function resolvedBelow(root: string, path: string): string | undefined {
  try {
    const real = realpathSync(`${root}${path}`);
    const top = root === '' ? '' : realpathSync(root);
    return real.startsWith(`${top}/`) ? real.slice(top.length) : undefined;
  } catch {
    return undefined;
  }
}

/** `KEY=VALUE` lines (uevent, logind's session files) as a map; the last of equal keys counts. */
export function keyValueLines(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return values;
}

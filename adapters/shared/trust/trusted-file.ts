// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { isatty } from 'node:tty';

import { AgentError, messageOf, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../../core/errors/posix-errno.ts';
import { systemError } from '../system-error.ts';
import { closeWalk, throughDescriptor, walkPath, type PathWalk } from './path-walk.ts';
import { agentUser, whyDistrusted, type Leniency } from './rule.ts';

export interface TrustedOpen extends Leniency {
  /** Of open(2), without those that keep it from waiting or from following a link: every open has these. */
  readonly flags: number;
  /** Makes the file with this mode where it is missing. */
  readonly create?: number;
  /** What it may be, by `S_IFMT`. Asked before it is opened: opening a device may do something. Throws where it may not. */
  readonly check?: (mode: number) => void;
  /** A terminal is whose session it is, and all that is written there is seen: whose it is does not matter. */
  readonly terminals?: boolean;
}

const ENOENT = 2;
/** Somebody makes and removes the file at the same time; each of them has to be allowed to. */
const mostTries = 8;

/**
 * Opens a file that nobody else can have put there or exchanged: the way to it is judged by the one rule and held, and the
 * very file that was judged is opened.
 *
 * @throws os error of open(2), or failed error: the sentence of the rule
 */
export function openTrusted(path: string, options: TrustedOpen): number {
  for (let tries = 1; ; tries += 1) {
    const walk = walkPath(path);
    try {
      return openWalked(walk, path, options);
    } catch (error) {
      const code = osCode(error);
      // It came or went between the look and the open.
      if (tries < mostTries && options.create !== undefined && (code === 'EEXIST' || (code === 'ENOENT' && walk.errno === 0))) continue;
      throw error;
    } finally {
      closeWalk(walk);
    }
  }
}

/** Why `openTrusted` would refuse, without opening or making anything; nothing where it would not. */
export function refusalToOpen(path: string, options: TrustedOpen): string | undefined {
  const walk = walkPath(path);
  try {
    judge(walk, path, options);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    closeWalk(walk);
  }
}

interface Judged {
  /** It is missing, and may be made where the walk ended. */
  readonly isNew: boolean;
  readonly mayBeTerminal: boolean;
}

/** @throws os error, or failed error: the sentence of the rule */
function judge(walk: PathWalk, path: string, { create, check, terminals, ...leniency }: TrustedOpen): Judged {
  const isNew = create !== undefined && walk.errno === ENOENT && walk.missing.length === 1 && walk.missing[0] !== '..';
  // What is not there is nobody's, wherever it is looked for.
  if (walk.errno !== 0 && create === undefined) throw posixErrorOf(walk.errno, { syscall: 'open', path });
  const last = walk.steps.at(-1)?.mode ?? 0;
  const mayBeTerminal = terminals === true && typeOf(last) === constants.S_IFCHR;
  const steps = mayBeTerminal ? walk.steps.slice(0, -1) : walk.steps;
  const distrusted = whyDistrusted(steps, agentUser(), { ...leniency, ...((mayBeTerminal || walk.errno === ENOENT) && { passed: true }) });
  if (distrusted !== undefined) throw AgentError.failed(distrusted);
  if (walk.errno !== 0 && !isNew) throw posixErrorOf(walk.errno, { syscall: 'open', path });
  if (!isNew) check?.(last);
  return { isNew, mayBeTerminal };
}

function openWalked(walk: PathWalk, path: string, options: TrustedOpen): number {
  const { isNew, mayBeTerminal } = judge(walk, path, options);
  const flags = options.flags | constants.O_NOCTTY | constants.O_NONBLOCK;
  try {
    if (isNew) return openSync(newIn(walk), flags | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, options.create);
    const fd = openSync(reached(walk), flags);
    if (!mayBeTerminal || isatty(fd)) return fd;
    closeSync(fd);
    throw AgentError.failed('Not a regular file nor a terminal');
  } catch (error) {
    throw systemError(error, path);
  }
}

/** A path to what the walk ended at, which no renaming changes. */
export const reached = (walk: PathWalk): string => throughDescriptor(walk.place, walk.steps.at(-1)?.path ?? '');

/** A path to the name that is missing, in the very directory that the walk came to. */
const newIn = (walk: PathWalk): string => `${throughDescriptor(walk.directory, walk.steps.at(-1)?.path ?? '')}/${walk.missing[0] ?? ''}`;

/** A refusal of the rule behind what was attempted; what the system said is put there by `withContext`. */
export const refusedWith = (text: string, error: AgentError): AgentError =>
  error.kind === 'os' ? withContext(text, error) : AgentError.failed(`${text}: ${error.message}`, error);

const typeOf = (mode: number): number => mode & constants.S_IFMT;

/** For `TrustedOpen.check`. @throws failed error `Not a regular file` */
export function mustBeRegular(mode: number): void {
  if (typeOf(mode) !== constants.S_IFREG) throw AgentError.failed('Not a regular file');
}

/** The same where a terminal will do as well. @throws failed error `Not a regular file nor a terminal` */
export function mustBeRegularOrTerminal(mode: number): void {
  if (typeOf(mode) !== constants.S_IFREG && typeOf(mode) !== constants.S_IFCHR) throw AgentError.failed('Not a regular file nor a terminal');
}

/**
 * The bytes of a small file, and not more than there may be.
 * @throws os error, or failed error: the sentence of the rule, `Not a regular file`, or that it is too long
 */
export function readTrusted(path: string, limit: number): Buffer {
  const fd = openTrusted(path, { flags: constants.O_RDONLY, check: mustBeRegular });
  try {
    return readBounded(fd, limit);
  } catch (error) {
    throw systemError(error, path);
  } finally {
    closeSync(fd);
  }
}

/** The rest of a file. @throws failed error where it is longer than `limit` bytes */
export function readBounded(fd: number, limit: number): Buffer {
  const pieces: Buffer[] = [];
  for (let length = 0; ; ) {
    const piece = Buffer.allocUnsafe(Math.min(64 * 1024, limit + 1 - length));
    const count = readSync(fd, piece, 0, piece.length, null);
    if (count === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, count));
    length += count;
    if (length > limit) throw AgentError.failed(`it is longer than ${limit} bytes`);
  }
}

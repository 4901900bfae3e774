// SPDX-License-Identifier: Apache-2.0
import { spawn as spawnHere, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { lstat, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PassThrough, type Readable, type Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { messageOf } from '../../core/errors/agent-error.ts';
import { harmless } from '../../core/errors/harmless-text.ts';
import { unlessAborted } from '../call-limit.ts';
import { ClientError } from '../client-error.ts';
import type { GuestClient } from '../guest-client.ts';
import type { GuestProcess } from '../guest-process.ts';
import { spawn } from '../spawn.ts';
import { LeftOutOfCopy } from './left-out.ts';
import type { MostBytes } from './most-bytes.ts';
import { onPath } from './on-path.ts';
import { TarGuard } from './tar-guard.ts';
import type { SubcommandContext } from './terminal.ts';
import { unpacking, whyNotRead, whyNotWritten } from './tree-failures.ts';

/** Is told how many bytes have been moved. */
type Moved = (bytes: number) => void;

export interface TreeCopied {
  /** Where it is now; in the guest as far as this side knows. */
  readonly to: string;
  /** What was left out, and what tar(1) complained of. */
  readonly isWhole: boolean;
}

/** GNU's tar knows holes and times to the nanosecond; that of BusyBox and others has less. */
type Kind = 'GNU' | 'other';

/** Of tar(1): some files changed while they were read. */
const CHANGED = 1;
/** Of a shell: there is no such program. */
const NO_PROGRAM = 127;
/** Bytes of what a program complains of. */
const MOST_COMPLAINTS = 64 * 1024;
/**
 * Milliseconds after which tar in the guest ends that nobody asks for: where requests come one by one (libvirt), an agent does not learn that the host which
 * sent them was killed.
 */
export const UNATTENDED_MS = 120_000;
/** Milliseconds in which a guest says that what was ended there has ended: one that never does must not keep a copy that is over. */
const ENDED_MS = 5_000;

/**
 * Unpacks below a name of its own, so that the folder appears when all of it is there. $1 whereto, $2 the folder's name, $3 the ending of the name
 * that it has before, $4 a flag of tar or nothing.
 */
const UNPACK = `
to=$1
if [ -d "$to" ]; then to=\${to%/}/$2; fi
if [ -e "$to" ] || [ -L "$to" ]; then echo "$to is there already" >&2; exit ${unpacking.isThere}; fi
command -v tar >/dev/null || exit ${NO_PROGRAM}
temporary=$(dirname -- "$to")/.concierge-$3
trap 'rm -rf -- "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -m 700 -- "$temporary" || exit ${unpacking.noFolder}
tar -x -p $4 -f - -C "$temporary" || exit ${unpacking.notUnpacked}
mv -- "$temporary" "$to" || exit ${unpacking.notNamed}
trap - EXIT
`;

/** A folder of the guest with all that is in it. */
export async function downloadTree(context: SubcommandContext, path: string, to: string, signal: AbortSignal, moved: Moved, most?: MostBytes): Promise<TreeCopied> {
  const { client, flags, complain } = context;
  const place = resolve((await isDirectory(to)) ? join(to, basename(path.replace(/\/+$/, ''))) : to);
  if (await isThere(place)) throw new Error(`${place} is there already`);
  const [there] = await Promise.all([kindInGuest(client, signal), kindHere()]);
  const temporary = join(dirname(place), `.${basename(place).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  await onPath(place, 'written', mkdir(temporary, { mode: 0o700 }));
  const leftOut = new LeftOutOfCopy(complain);
  try {
    const guest = spawn(client, 'tar', ['-c', ...(there === 'GNU' ? ['--format=posix', '--sparse'] : []), '-f', '-', '-C', path, '.'], { stdio: ['ignore', 'pipe', 'pipe'], unattendedLimitMs: UNATTENDED_MS });
    const here = spawnHere('tar', ['-x', '-p', ...(process.getuid?.() === 0 ? ['--numeric-owner'] : []), '-f', '-', '-C', temporary], { stdio: ['pipe', 'ignore', 'pipe'] });
    const ends = [endOf(guest), endOfChild(here)] as const;
    const later: string[] = [];
    const complaints = [hear(guest.stderr, 'the guest', complain), hear(here.stderr, 'tar', (text) => later.push(text))];
    const guard = new TarGuard({
      anyLinks: flags.has('any-links'),
      devices: flags.has('devices'),
      leftOut: (name, why) => leftOut.tell(name, why),
      // What is left out, and what comes behind the end, has been sent as well.
      came: (count) => most?.take(count),
    });
    const broken = await move([guest.stdout as Readable, guard, counting(moved), here.stdin], signal, true);
    leftOut.done();
    if (broken !== undefined) here.kill('SIGKILL');
    const guestStatus = await endIn(guest, ends[0], broken === undefined, signal, () => guest.kill('SIGKILL'));
    if (guestStatus === undefined) here.kill('SIGKILL');
    const status = await ends[1];
    await Promise.all(complaints);
    if (broken === undefined ? guestStatus === undefined : signal.aborted || (isOurs(broken) && !guard.brokeOff)) throw givenUp(signal, broken);
    // Of an archive that breaks off, tar here says nothing new.
    if (!guard.brokeOff) later.forEach(complain);
    if (guestStatus !== undefined && guestStatus > CHANGED) throw new Error(whyNotRead(path, 'in the guest', guestStatus));
    if (status !== 0 || broken !== undefined) throw guard.brokeOff && broken !== undefined ? broken : new Error(`${place} cannot be written: tar here could not unpack all that came (status ${status})`);
    await rename(temporary, place);
    return { to: place, isWhole: leftOut.isEmpty && guestStatus === 0 };
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => complain(`concierge-ctl: ${harmless(temporary)} cannot be removed\n`));
  }
}

/** A folder of this host, with all that is in it, into the guest. */
export async function uploadTree(context: SubcommandContext, from: string, to: string, signal: AbortSignal, moved: Moved): Promise<TreeCopied> {
  const { client, flags, complain } = context;
  const [there, own] = await Promise.all([kindInGuest(client, signal), kindHere()]);
  const format = own === 'other' ? [] : there === 'GNU' ? ['--format=posix', '--sparse'] : ['--format=gnu'];
  const leftOut = new LeftOutOfCopy(complain);
  const ownName = basename(resolve(from));
  const guest = spawn(client, 'sh', ['-c', UNPACK, 'sh', to === '' ? '.' : to, ownName, randomBytes(6).toString('hex'), there === 'GNU' ? '--numeric-owner' : ''], { stdio: ['pipe', 'ignore', 'pipe'], unattendedLimitMs: UNATTENDED_MS });
  const here = spawnHere('tar', ['-c', ...format, '-f', '-', '-C', from, '.'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ends = [endOf(guest), endOfChild(here)] as const;
  const later: string[] = [];
  const complaints = [hear(guest.stderr, 'the guest', complain), hear(here.stderr, 'tar', (text) => later.push(text))];
  const guard = new TarGuard({
    anyLinks: true,
    devices: flags.has('devices'),
    leftOut: (name, why) => leftOut.tell(name, why),
  });
  const broken = await move([here.stdout, guard, counting(moved), guest.stdin as Writable], signal, false);
  leftOut.done();
  if (broken !== undefined) here.kill('SIGKILL');
  const status = await ends[1];
  // The end of input is said only of what is whole: otherwise half a folder would get its name.
  const isSent = broken === undefined && status <= CHANGED;
  if (isSent) guest.stdin?.end();
  const guestStatus = await endIn(guest, ends[0], isSent, signal, () => guest.kill('SIGHUP', { group: true }));
  await Promise.all(complaints);
  // Where the guest ended first, or the copy was given up, tar here ends for that, and says nothing new.
  const isCutOff = broken !== undefined && !isOurs(broken) && guestStatus !== 0;
  if (!isCutOff) later.forEach(complain);
  if (broken === undefined ? isSent && guestStatus === undefined : signal.aborted || isOurs(broken)) throw givenUp(signal, broken);
  if (guestStatus === NO_PROGRAM) throw new Error(noTar);
  if (status > CHANGED && !isCutOff) throw new Error(whyNotRead(from, 'here', status));
  if (guestStatus === undefined) throw new Error(`${to} cannot be written in the guest, which does not say how it went`);
  if (guestStatus !== 0) throw new Error(whyNotWritten(to, ownName, guestStatus));
  return { to, isWhole: leftOut.isEmpty && status === 0 };
}

const noTar = 'the guest has no tar, which cp -r needs: copy files one by one';

/** What its tar can. @throws Error where it has none */
async function kindInGuest(client: GuestClient, signal: AbortSignal): Promise<Kind> {
  const child = spawn(client, 'tar', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    if (text.length < MOST_COMPLAINTS) text += chunk.toString('latin1');
  });
  try {
    if ((await endIn(child, endOf(child), true, signal, () => child.kill('SIGKILL'))) === undefined) throw givenUp(signal);
  } catch (error) {
    if (ClientError.is(error) && error.missing === undefined && error.message.includes('No such file or directory')) throw new Error(noTar, { cause: error });
    throw error;
  }
  return text.includes('GNU tar') ? 'GNU' : 'other';
}

/** @throws Error where this host has none */
async function kindHere(): Promise<Kind> {
  const child = spawnHere('tar', ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await endOfChild(child);
  return text.includes('GNU tar') ? 'GNU' : 'other';
}

/** The exit status; 128 and its number for a signal. @throws ClientError */
function endOf(child: GuestProcess): Promise<number> {
  const ended = new Promise<number>((fulfil, reject) => {
    child.once('close', () => fulfil(child.exitCode ?? 128 + (child.signalNumber ?? 0)));
    child.once('error', reject);
  });
  // Others may fail before anybody waits for it.
  ended.catch(() => undefined);
  return ended;
}

/**
 * How a program of the guest ended, where that is `wanted`; `undefined` where it was given up meanwhile. One that is not wanted, or given up, is ended,
 * and a guest that does not say in time that it has is left alone.
 */
async function endIn(child: GuestProcess, end: Promise<number>, isWanted: boolean, signal: AbortSignal, kill: () => void): Promise<number | undefined> {
  if (isWanted) {
    try {
      return await unlessAborted(end, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
  kill();
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((fulfil) => (timer = setTimeout(() => fulfil(undefined), ENDED_MS)));
  try {
    const status = await Promise.race([end, patience]);
    return isWanted ? undefined : status;
  } finally {
    clearTimeout(timer);
    child.detach();
  }
}

function endOfChild(child: ChildProcess): Promise<number> {
  const ended = new Promise<number>((fulfil, reject) => {
    child.once('close', (code) => fulfil(code ?? 128));
    child.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'ENOENT' ? new Error('this host has no tar, which cp -r needs') : error));
  });
  ended.catch(() => undefined);
  return ended;
}

/** What it complains of, a line each; of somebody who never stops, the beginning. */
async function hear(from: Readable | null, whose: string, complain: (text: string) => void): Promise<void> {
  if (from === null) return;
  let bytes = 0;
  let line = '';
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_COMPLAINTS) return;
    const lines = (line + chunk.toString()).split('\n');
    line = lines.pop() ?? '';
    for (const one of lines) complain(`${whose}: ${one}\n`);
  });
  if (!from.closed) await once(from, 'close').catch(() => undefined);
  if (line !== '') complain(`${whose}: ${line}\n`);
}

const counting = (moved: Moved): Transform => new PassThrough().on('data', (chunk: Buffer) => moved(chunk.length));

/** Answers what went wrong. @param ends the last one is ended, too */
async function move(streams: readonly [Readable, TarGuard, Transform, Writable], signal: AbortSignal, ends: boolean): Promise<Error | undefined> {
  try {
    await pipeline(streams, { signal, end: ends });
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** Whether it says itself what is wrong: not that somebody closed a stream, who says why in its own way. */
const isOurs = (error: Error): boolean => !('code' in error) || ClientError.is(error);

const givenUp = (signal: AbortSignal, error?: Error): Error =>
  (signal.aborted || error === undefined ? new ClientError('aborted', 'the copy was given up', { cause: signal.reason }) : new Error(messageOf(error), { cause: error }));

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

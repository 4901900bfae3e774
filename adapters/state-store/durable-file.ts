// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { open, rename, unlink, type FileHandle } from 'node:fs/promises';

import type { StateDirectory } from './state-directory.ts';

const temporary = (name: string): string => `${name}.new`;

/** Made new, never opened through a link, nor where somebody waits with another's file. */
const anew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

const isInTheWay = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EEXIST';

/**
 * Replaces a small file at once and for good: whoever reads it after a power cut sees the old text or the new one whole.
 * Runs in the pool. One call at a time for one name.
 */
export async function replaceDurably(directory: StateDirectory, name: string, text: string): Promise<void> {
  const path = directory.atNow(temporary(name));
  const file = await createAside(path);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  await rename(directory.at(temporary(name)), directory.at(name));
  // The new name has to reach the disk too (fsync(2): "an explicit fsync() on a file descriptor for the directory").
  if (process.platform === 'win32') return;
  const itself = await open(directory.itself, 'r');
  try {
    await itself.sync();
  } finally {
    await itself.close();
  }
}

/** The same without the pool, for what must not wait behind stuck operations there: a freeze's marker, and the end. */
export function replaceDurablySync(directory: StateDirectory, name: string, text: string): void {
  write(directory.atNow(temporary(name)), text, true);
  renameSync(directory.at(temporary(name)), directory.at(name));
  if (process.platform === 'win32') return;
  const itself = openSync(directory.itself, 'r');
  try {
    fsyncSync(itself);
  } finally {
    closeSync(itself);
  }
}

/** Whole or not at all as long as the machine runs, but not for good: for what can be told again after a power cut. */
export function replaceSync(directory: StateDirectory, name: string, text: string): void {
  write(directory.atNow(temporary(name)), text, false);
  renameSync(directory.at(temporary(name)), directory.at(name));
}

function write(path: string, text: string, durably: boolean): void {
  const fd = create(path);
  try {
    // Not writeSync: of a text for which there is no room it writes the beginning, and says so by a number.
    writeFileSync(fd, text);
    if (durably) fsyncSync(fd);
  } catch (error) {
    giveBack(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** On a full disk half a file would take what room there is from all that is written next. */
function giveBack(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The next one that is written under this name takes it away.
  }
}

/** What an agent that was killed left half written gives way. */
function create(path: string): number {
  try {
    return openSync(path, anew, 0o600);
  } catch (error) {
    if (!isInTheWay(error)) throw error;
    unlinkSync(path);
    return openSync(path, anew, 0o600);
  }
}

async function createAside(path: string): Promise<FileHandle> {
  try {
    return await open(path, anew, 0o600);
  } catch (error) {
    if (!isInTheWay(error)) throw error;
    await unlink(path);
    return open(path, anew, 0o600);
  }
}

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

const temporary = (path: string): string => `${path}.new`;

/**
 * Replaces a small file at once and for good: whoever reads it after a power cut sees the old text or the new one whole.
 * Runs in the pool. One call at a time for one path.
 */
export async function replaceDurably(path: string, text: string): Promise<void> {
  const file = await open(temporary(path), 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary(path), path);
  // The new name has to reach the disk too (fsync(2): "an explicit fsync() on a file descriptor for the directory").
  if (process.platform === 'win32') return;
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The same without the pool, for what must not wait behind stuck operations there: a freeze's marker, and the end. */
export function replaceDurablySync(path: string, text: string): void {
  write(temporary(path), text, true);
  renameSync(temporary(path), path);
  if (process.platform === 'win32') return;
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Whole or not at all as long as the machine runs, but not for good: for what can be told again after a power cut. */
export function replaceSync(path: string, text: string): void {
  write(temporary(path), text, false);
  renameSync(temporary(path), path);
}

function write(path: string, text: string, durably: boolean): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    writeSync(fd, text);
    if (durably) fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

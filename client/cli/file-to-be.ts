// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { rmSync, type Stats } from 'node:fs';
import { open, realpath, rename, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { ClientError } from '../client-error.ts';
import type { SubcommandContext } from './terminal.ts';

/** Bits of a mode that chmod(2) takes. */
const modeBits = 0o7777;

/**
 * A file that is being made under a name of its own and gets its real one when all of it is there, so that nobody takes half a
 * file for a whole one and a copy that fails leaves what was there before. What is no regular file (a device, a FIFO) is
 * written to as it is.
 */
export class FileToBe {
  readonly handle: FileHandle;
  readonly #path: string;
  readonly #temporary: string | undefined;
  readonly #mode: number | undefined;
  #kept = false;

  constructor(handle: FileHandle, path: string, temporary: string | undefined, mode: number | undefined) {
    this.handle = handle;
    this.#path = path;
    this.#temporary = temporary;
    this.#mode = mode;
  }

  /** All of it is there: gives it its mode and its name. */
  async keep(): Promise<void> {
    if (this.#mode !== undefined) await this.handle.chmod(this.#mode);
    if (this.#temporary !== undefined) await rename(this.#temporary, this.#path);
    this.#kept = true;
  }

  /** Takes away what was not kept. */
  async close(): Promise<void> {
    await this.handle.close();
    if (!this.#kept && this.#temporary !== undefined) rmSync(this.#temporary, { force: true });
  }
}

/**
 * Opens what a file is made in.
 *
 * @param mode of the file; absent: that of the one which it replaces, or what the umask leaves of 666
 * @throws ClientError `aborted` where somebody was asked and wants to keep what is there
 */
export async function openPlace(to: string, mode: number | undefined, { ask, flags }: Pick<SubcommandContext, 'ask' | 'flags'>): Promise<FileToBe> {
  const there = await factsOf(to);
  if (there !== undefined && !there.isFile()) return new FileToBe(await open(to, 'w'), to, undefined, undefined);
  if (there !== undefined && ask !== undefined && !flags.has('force')) {
    const answer = await ask(`${to} is there already. Replace it? [y/N] `);
    if (!/^\s*y(es)?\s*$/i.test(answer)) throw new ClientError('aborted', `${to} was left as it is`);
  }
  // A link stays one: what it leads to is replaced.
  const path = there === undefined ? to : await realpath(to);
  const temporary = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  const handle = await open(temporary, 'wx', mode === undefined && there === undefined ? 0o666 : 0o600);
  return new FileToBe(handle, path, temporary, mode ?? (there === undefined ? undefined : there.mode & modeBits));
}

async function factsOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { osCode, withContext } from '../../core/errors/agent-error.ts';
import type { FreezeMarkerData } from '../../core/ports/index.ts';
import { systemError } from '../shared/system-error.ts';
import { survivesReboot, type Boot } from './boot.ts';
import { replaceDurablySync } from './durable-file.ts';
import { formatMarker, parseMarker } from './freeze-marker.ts';
import type { StateDirectory } from './state-directory.ts';

const name = 'qga.state.isfrozen';

/** How far two readings of the time of boot may lie apart, in milliseconds. */
const slackMs = 5000;

/** `qga.state.isfrozen`: there while file systems are frozen, under the name that qemu-ga gives it. */
export class FreezeMarkerFile {
  readonly #directory: StateDirectory;
  readonly #path: string;
  readonly #boot: Boot;
  readonly #warn: (line: string) => void;

  constructor(directory: StateDirectory, boot: Boot, warn: (line: string) => void) {
    this.#directory = directory;
    this.#path = join(directory.path, name);
    this.#boot = boot;
    this.#warn = warn;
  }

  /** Some marker is there, of whatever boot. @throws os error with the reference's sentence */
  get exists(): boolean {
    return this.#modified() !== undefined;
  }

  /** Synchronous and synchronised. @throws os error `unable to create PATH: STRERROR` */
  write(marker: FreezeMarkerData): void {
    try {
      replaceDurablySync(this.#directory, name, formatMarker(marker));
    } catch (error) {
      throw withContext(`unable to create ${this.#path}`, systemError(error, this.#path));
    }
  }

  /** @throws os error where a marker is there and stays */
  remove(): void {
    try {
      this.#directory.remove(name);
    } catch (error) {
      const failure = systemError(error, this.#path);
      if (osCode(failure) !== 'ENOENT') throw withContext(`unable to remove ${this.#path}`, failure);
    }
  }

  /** What was left in this boot. A marker of an earlier one is removed. */
  read(): FreezeMarkerData | undefined {
    const modified = this.#modified();
    if (modified === undefined) return undefined;
    const marker = parseMarker(this.#directory.read(name) ?? '');
    if (marker === undefined) return this.#silent(modified);
    const { id } = this.#boot;
    return marker.bootId !== id && marker.bootId !== '' && id !== '' ? this.#forget('it was written in an earlier boot') : marker;
  }

  /** What qemu-ga leaves: something is frozen, nobody knows what. Its age tells whether that was in this boot. */
  #silent(modified: number): FreezeMarkerData | undefined {
    if (survivesReboot(this.#directory.itself) && modified + slackMs < this.#boot.at) return this.#forget('it is older than this boot');
    return { bootId: this.#boot.id, targets: [], deadlineAt: 0n, recoveryData: {} };
  }

  #forget(why: string): undefined {
    this.#warn(`${this.#path} says that file systems are frozen, but ${why}: it is removed`);
    try {
      this.remove();
    } catch (error) {
      this.#warn(systemError(error).message);
    }
  }

  /** Milliseconds since 1970, or `undefined` where there is no such file. */
  #modified(): number | undefined {
    try {
      return this.#directory.status(name)?.mtimeMs;
    } catch (error) {
      if (osCode(error) === undefined) throw error;
      throw withContext(`unable to access state file at path ${this.#path}`, error);
    }
  }
}

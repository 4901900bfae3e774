// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, renameSync, unlinkSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';

import { AgentError, messageOf, osCode, withContext } from '../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../core/errors/posix-errno.ts';
import { systemError } from '../shared/system-error.ts';
import { closeWalk, throughDescriptor, walkPath, type PathWalk } from '../shared/trust/path-walk.ts';
import { isUntrusted, placeGuard } from '../shared/trust/place-guard.ts';
import { agentUser, whyDistrusted } from '../shared/trust/rule.ts';
import { reached, readBounded } from '../shared/trust/trusted-file.ts';

/** More than any path has components. */
const deepest = 4096;
/** A marker of thousands of mount points has some hundred KiB; nobody else writes here, but a disk may be damaged. */
const longestFile = 16 * 1024 * 1024;

const ENOENT = 2;
/** Windows has neither, and access lists of its own. */
const neverFollow = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * The state directory, held by descriptor once it has been judged: what lies in it is believed, and signals are sent and file
 * systems thawed by it, so that nobody else may have been able to put it there.
 */
export class StateDirectory {
  readonly path: string;
  #fd: number | undefined;

  /** Finds it; a missing one is no error yet. @throws failed error, one sentence for the administrator */
  constructor(path: string) {
    this.path = resolve(path);
    if (process.platform !== 'win32') this.#fd = this.#find();
    else if (existsSync(this.path)) this.#judge();
  }

  /** It was there when it was last looked for. */
  get exists(): boolean {
    return process.platform === 'win32' || this.#fd !== undefined;
  }

  /** Makes it, and what is missing above it, for nobody else to read. @throws failed or os error */
  make(): void {
    if (process.platform === 'win32') {
      this.#attempt(() => placeGuard()?.makeFolder(this.path) ?? mkdirSync(this.path, { recursive: true, mode: 0o700 }));
      this.#judge();
      return;
    }
    for (let depth = 0; this.#fd === undefined && depth < deepest; depth += 1) {
      this.#attempt(() => this.#makeNext());
      this.#fd = this.#find();
    }
  }

  /** On a system whose rights are not those of POSIX. */
  #judge(): void {
    const reason = placeGuard()?.whyDistrusted(this.path);
    if (reason !== undefined) throw this.#unfit(reason);
  }

  #attempt(make: () => unknown): void {
    try {
      make();
    } catch (error) {
      if (isUntrusted(error)) throw this.#unfit(messageOf(error));
      if (AgentError.is(error) && process.platform !== 'win32') throw error;
      throw withContext(`unable to create (an ancestor of) the state directory '${this.path}'`, systemError(error, this.path));
    }
  }

  /** The first directory of those that are missing, in the one that was judged. */
  #makeNext(): void {
    const walk = walkPath(this.path);
    try {
      const [name] = walk.missing;
      if (name === undefined) return;
      mkdirSync(`${throughDescriptor(walk.directory, walk.steps.at(-1)?.path ?? '/')}/${name}`, { mode: 0o700 });
    } catch (error) {
      // Another agent makes the same one.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      closeWalk(walk);
    }
  }

  #find(): number | undefined {
    const walk = walkPath(this.path);
    try {
      return this.#judged(walk);
    } finally {
      closeWalk(walk);
    }
  }

  #judged(walk: PathWalk): number | undefined {
    const reason = whyDistrusted(walk.steps, agentUser(), walk.errno === ENOENT ? { passed: true } : {});
    if (reason !== undefined) throw this.#unfit(reason);
    if (walk.errno === ENOENT) return undefined;
    if (walk.errno !== 0) throw posixErrorOf(walk.errno, { syscall: 'open', path: this.path });
    try {
      return openSync(reached(walk), constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      throw systemError(error, this.path);
    }
  }

  #unfit(reason: string): AgentError {
    return AgentError.failed(`the state directory ${this.path} is not used: ${reason}, or choose another directory with --statedir`);
  }

  /** A path to a file in it, which no renaming above changes; only for calls that follow no link. */
  at(name: string): string {
    return `${this.itself}/${name}`;
  }

  /** As `at`, for writing: a directory that was removed and made again is found again. */
  atNow(name: string): string {
    if (this.#fd !== undefined && fstatSync(this.#fd).nlink === 0) {
      const found = this.#find();
      if (found !== undefined) {
        closeSync(this.#fd);
        this.#fd = found;
      }
    }
    return this.at(name);
  }

  /** The directory itself, for statfs(2) and fsync(2). */
  get itself(): string {
    return throughDescriptor(this.#fd, this.path);
  }

  /** What is known of a file; `undefined` where there is none. @throws os error, or failed error where it must not be believed */
  status(name: string): Stats | undefined {
    return this.#with(name, constants.O_RDONLY, (fd) => fstatSync(fd));
  }

  /** The text of a file; `undefined` where there is none. @throws as `status` */
  read(name: string): string | undefined {
    return this.#with(name, constants.O_RDONLY, (fd) => readBounded(fd, longestFile).toString('utf8'));
  }

  #with<T>(name: string, flags: number, use: (fd: number) => T): T | undefined {
    let fd: number;
    try {
      fd = this.open(name, flags);
    } catch (error) {
      if (osCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Opens a file of the agent's own. @throws os error, or failed error where it must not be believed */
  open(name: string, flags: number, mode?: number): number {
    const path = join(this.path, name);
    let fd: number;
    try {
      fd = openSync(this.at(name), flags | neverFollow, mode);
    } catch (error) {
      const failure = systemError(error, path);
      throw osCode(failure) === 'ELOOP' ? this.#unfit(`${path} is a symbolic link: remove it`) : failure;
    }
    const reason = process.platform === 'win32' ? undefined : whyNotOurs(path, fstatSync(fd));
    if (reason === undefined) return fd;
    closeSync(fd);
    throw this.#unfit(reason);
  }

  remove(name: string): void {
    unlinkSync(this.at(name));
  }

  rename(from: string, to: string): void {
    renameSync(this.at(from), this.at(to));
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function whyNotOurs(path: string, status: Stats): string | undefined {
  if (!status.isFile()) return `${path} is no file: remove it`;
  const { uid, gid, mode, nlink } = status;
  return whyDistrusted([{ path, uid, gid, mode, names: nlink, accessList: false }], agentUser());
}

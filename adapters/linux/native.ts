// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { dlopen } from 'node:process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { AgentError, messageOf } from '../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../core/errors/posix-errno.ts';

/**
 * The native addon: system calls that Node lacks, and blocking ones off the threads that Node needs.
 * Its failures are `AgentError`s of kind `os`, thrown or as rejections.
 */
export function nativeAddon(): NativeAddon {
  loaded ??= load();
  return loaded;
}

/**
 * What the addon exports. Everything that returns a promise runs on a thread that may block as long as it likes.
 * A part that is used in one file only is described there: `nativeAddon() as NativeAddon & AccountsAddon`.
 */
export interface NativeAddon {
  /** How the addon makes its errors: positive errno, the call that failed, and the path where there is one. */
  setErrorFactory(factory: (errno: number, syscall: string, path?: string) => Error): void;

  /** A whole file of /proc or /sys, or a small one elsewhere. @throws `EFBIG` past `limit` bytes */
  readFile(path: string | Uint8Array, limit: number): Promise<Uint8Array>;
  /** The first `limit` bytes of a file, all of a shorter one. */
  readStart(path: string | Uint8Array, limit: number): Promise<Uint8Array>;
  /** Names in a directory on a disk, in any order. */
  namesIn(path: string): Promise<string[]>;
  /** Writes to an existing file (sysfs) in one write(2), without truncating. */
  writeFile(path: string | Uint8Array, text: string): Promise<void>;
  /** access(2) with `X_OK`. */
  isExecutable(path: string | Uint8Array): Promise<boolean>;
}

/** Where the addon lies: beside the running file (a package), or in the build folder of the repository. */
export function addonPath(start = dirname(fileURLToPath(import.meta.url))): string {
  const beside = join(start, 'concierge.node');
  if (existsSync(beside)) return beside;
  for (let folder = start; ; folder = dirname(folder)) {
    const built = join(folder, 'build', 'Release', 'concierge.node');
    if (existsSync(built)) return built;
    if (folder === dirname(folder)) break;
  }
  throw AgentError.failed(`the native addon is missing: there is no ${beside}; install Concierge anew (in its sources: npm run build:native)`);
}

/** Why there is no addon, or `undefined` where there is one. */
export function addonProblem(): string | undefined {
  try {
    nativeAddon();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

let loaded: NativeAddon | undefined;

function load(): NativeAddon {
  // dlopen and not require: the bundle is ESM, and createRequire costs a module system that nothing else needs.
  const addon = { exports: {} };
  const file = addonPath();
  try {
    dlopen(addon, file);
  } catch (error) {
    throw AgentError.failed(`the native addon cannot be loaded: ${messageOf(error)}; install the package for this system (${process.platform}, ${process.arch})`, error);
  }
  const native = addon.exports as NativeAddon;
  native.setErrorFactory((errno, syscall, path) => posixErrorOf(errno, { syscall, ...(path === undefined ? {} : { path }) }));
  return native;
}

// SPDX-License-Identifier: Apache-2.0
import { existsSync, watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Where a directory can't be watched (out of inotify instances), it is looked at this often, in milliseconds. */
const UNWATCHED_REST = 5000;

/**
 * Resolves once something is at `path`, watching the nearest directory above it that exists: no polling. Resolves early
 * when `signal` is aborted.
 */
export async function pathAppears(path: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !existsSync(path)) {
    let directory = dirname(path);
    while (!existsSync(directory) && dirname(directory) !== directory) directory = dirname(directory);
    await directoryChanges(directory, signal, () => existsSync(path));
  }
}

/** Resolves at the next change of the directory's entries, or at once when `already()` holds once it is being watched. */
function directoryChanges(directory: string, signal: AbortSignal, already: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = tryWatch(directory, resolve);
  const timer = watcher === undefined ? setTimeout(resolve, UNWATCHED_REST) : undefined;
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  if (already()) resolve();
  return promise.finally(() => {
    signal.removeEventListener('abort', stop);
    clearTimeout(timer);
    watcher?.close();
  });
}

function tryWatch(directory: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, changed);
    watcher.on('error', changed);
    return watcher;
  } catch {
    return undefined;
  }
}

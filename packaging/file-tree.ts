// SPDX-License-Identifier: Apache-2.0
import { chmodSync, copyFileSync, lstatSync, lutimesSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** One file of a package. Directories above it are made as they are needed. */
export type Entry = { readonly path: string } & (
  | { readonly text: string | Uint8Array; readonly mode?: number }
  | { readonly copyOf: string; readonly mode?: number }
  | { readonly linkTo: string }
  | { readonly directory: true }
);

/** Writes the tree below `root`, which is emptied first, with all times set to `date`. */
export function writeTree(root: string, entries: readonly Entry[], date: number): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const entry of entries) {
    const place = join(root, entry.path);
    mkdirSync(dirname(place), { recursive: true });
    if ('directory' in entry) mkdirSync(place, { recursive: true });
    else if ('linkTo' in entry) symlinkSync(entry.linkTo, place);
    else {
      if ('copyOf' in entry) copyFileSync(entry.copyOf, place);
      else writeFileSync(place, entry.text);
      chmodSync(place, entry.mode ?? 0o644);
    }
  }
  settle(root, date);
}

/** Times and the modes of directories: the umask of whoever builds must not show. */
export function settle(path: string, date: number): void {
  const status = lstatSync(path);
  if (status.isDirectory()) {
    for (const name of readdirSync(path)) settle(join(path, name), date);
    chmodSync(path, 0o755);
  }
  lutimesSync(path, date, date);
}

/** Paths of all files and links below `root`, sorted, without a leading slash. */
export function filesBelow(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted();
}

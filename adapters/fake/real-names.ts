// SPDX-License-Identifier: Apache-2.0
import type { Place } from '../../core/ports/index.ts';
import type { Entry, FileTree } from './file-tree.ts';
import type { Inode } from './inodes.ts';

/** Every path at which something shows, mounts upon it aside; for what is missing, at which it would. */
export function placeOf(tree: FileTree, { found, parent, name }: Entry): Place {
  if (found !== undefined) return namesOf(tree, found.inode);
  const { names, mayHaveOthers } = namesOf(tree, parent);
  return { names: names.map((directory) => `${directory === '/' ? '' : directory}/${name}`), mayHaveOthers };
}

function namesOf(tree: FileTree, inode: Inode): Place {
  const shown = tree.mounts.filter(({ superblock }) => superblock === inode.superblock);
  const names = shown.flatMap(({ mountPoint, root }) => pathsTo(inode, root).map((path) => `${mountPoint === '/' ? '' : mountPoint}${path}` || '/'));
  const hardLinks = shown.slice(0, 1).flatMap(({ superblock }) => pathsTo(inode, superblock.root)).length;
  return { names: [...new Set(names)], mayHaveOthers: hardLinks !== 1 };
}

function pathsTo(inode: Inode, from: Inode): readonly string[] {
  if (from === inode) return [''];
  if (from.kind !== 'directory') return [];
  return Array.from(from.entries).flatMap(([name, child]) => pathsTo(inode, child).map((path) => `/${name}${path}`));
}

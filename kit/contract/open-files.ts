// SPDX-License-Identifier: Apache-2.0
import type { FileAccess, OpenFile, OpenMode } from '../../core/ports/index.ts';
import type { ContractCase } from './group.ts';

/** The mode of that name of fopen(3). */
export const mode = (name: 'r' | 'r+' | 'w' | 'w+' | 'a' | 'a+'): OpenMode => {
  const plus = name.endsWith('+');
  return {
    read: name.startsWith('r') || plus,
    write: !name.startsWith('r') || plus,
    append: name.startsWith('a'),
    create: !name.startsWith('r'),
    truncate: name.startsWith('w'),
  };
};

export type ModeName = Parameters<typeof mode>[0];

/** Opens, does something and closes, whatever happens. */
export async function using<T>(files: FileAccess, path: string, name: ModeName, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await files.open(path, mode(name));
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Everything from the position to the end. */
export async function readAll(file: OpenFile, pieceSize = 65_536): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const piece = new Uint8Array(pieceSize);
  // oxlint-disable-next-line no-await-in-loop -- one file is read one call after the other
  for (let length = await file.read(piece); length > 0; length = await file.read(piece)) pieces.push(piece.slice(0, length));
  return Buffer.concat(pieces);
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const textOf = async (file: OpenFile): Promise<string> => (await readAll(file)).toString();

export type FileCase = ContractCase<FileAccess>;

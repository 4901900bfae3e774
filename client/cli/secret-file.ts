// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { open } from 'node:fs/promises';

import { UsageError } from './usage-error.ts';

/** Bytes: a secret is one line. */
const MOST = 4096;

/** A secret in a file that nobody else may read, without blanks around it. @throws UsageError */
export async function secretIn(path: string): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`the file ${path} cannot be read: ${error.code === 'ENOENT' ? 'there is none' : (error.code ?? error.message)}`);
  });
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new UsageError(`${path} is no file`);
    if ((facts.mode & 0o077) !== 0) throw new UsageError(`others may read ${path}, which holds a secret: chmod 600 ${path}`);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST + 1), 0, MOST + 1, 0);
    if (bytesRead > MOST) throw new UsageError(`${path} is longer than a secret is`);
    return buffer.toString('utf8', 0, bytesRead).trim();
  } finally {
    await file.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
/** What the errors of the system mean to somebody who copies. */
const sentences: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'a part of the path is no directory',
  EISDIR: 'it is a directory',
  EACCES: 'this user is not permitted to',
  EPERM: 'this user is not permitted to',
  EROFS: 'the file system is read-only',
  ENOSPC: 'there is no space left',
  EDQUOT: 'the quota is used up',
  EFBIG: 'the file is too large',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'too many links lead to one another',
  ETXTBSY: 'it is a program that runs',
  ENXIO: 'nobody reads from it',
};

/** Something done with a file of this host; what goes wrong is told in a sentence. `doing`: `read`, `written`. */
export async function onPath<T>(path: string, doing: string, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    throw new Error(`${path} cannot be ${doing}: ${sentences[code] ?? code}`, { cause: error });
  }
}

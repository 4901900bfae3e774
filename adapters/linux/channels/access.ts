// SPDX-License-Identifier: Apache-2.0
import { accessSync } from 'node:fs';

/** What to do about something that this user may not; `instead` where the user is root already, and it is no matter of the user. */
export const asRoot = (instead: string, uid = process.getuid?.()): string => (uid === 0 ? instead : 'run the agent as root');

/** Why something may not be used as `mode` says; `read-only`: nobody may write to that file system, root neither. */
export function obstacle(path: string, mode: number, access: typeof accessSync = accessSync): 'read-only' | 'not-permitted' | undefined {
  try {
    access(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS' ? 'read-only' : 'not-permitted';
  }
}

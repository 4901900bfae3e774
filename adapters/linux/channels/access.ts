import { accessSync } from 'node:fs';

/** Why something may not be used as `mode` says; `read-only`: nobody may write to that file system, root neither. */
export function obstacle(path: string, mode: number, access: typeof accessSync = accessSync): 'read-only' | 'not-permitted' | undefined {
  try {
    access(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS' ? 'read-only' : 'not-permitted';
  }
}

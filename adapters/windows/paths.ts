import { windowsErrorOf } from './system-error.ts';

/** MAX_PATH less room for a short file name, which CreateDirectory wants. */
const plainLimit = 248;
/** Of UNICODE_STRING, less what stands before a long path. */
const longestPath = 32_767 - 8;
/** Every file system of Windows. */
const longestName = 255;
const ERROR_FILENAME_EXCED_RANGE = 206;

/**
 * A path as CreateFile takes it at any length: beyond MAX_PATH only in the form `\\?\`, in which nothing is interpreted,
 * so that slashes, `.` and `..` are resolved here first.
 *
 * @throws `ERROR_FILENAME_EXCED_RANGE` for a path that no call could take: they have other codes for it, each its own
 */
export function extendedPath(path: string): string {
  if (path.length > longestPath || path.split(/[\\/]/).some((name) => name.length > longestName)) {
    throw windowsErrorOf(ERROR_FILENAME_EXCED_RANGE, { syscall: 'CreateFile', path });
  }
  if (path.length < plainLimit || /^[\\/]{2}[?.][\\/]/.test(path)) return path;
  const drive = /^([A-Za-z]:)[\\/]/.exec(path);
  if (drive !== null) return `\\\\?\\${drive[1]}\\${resolved(path.slice(3))}`;
  if (/^[\\/]{2}[^\\/]/.test(path)) return `\\\\?\\UNC\\${resolved(path.slice(2))}`;
  // A relative one is bound to MAX_PATH.
  return path;
}

function resolved(rest: string): string {
  const parts: string[] = [];
  for (const part of rest.split(/[\\/]+/)) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('\\');
}

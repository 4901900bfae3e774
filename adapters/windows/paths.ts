// SPDX-License-Identifier: Apache-2.0
import { windowsErrorOf } from './system-error.ts';

/** MAX_PATH less room for a short file name, which CreateDirectory wants. */
const plainLimit = 248;
/** Of UNICODE_STRING, less what stands before a long path. */
const longestPath = 32_767 - 8;
/** Every file system of Windows. */
const longestName = 255;
const ERROR_FILENAME_EXCED_RANGE = 206;
const ERROR_INVALID_NAME = 123;

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
  // In the form `\\?\` it would be a file that nothing else could open or delete.
  if (deviceIn(path) !== undefined) throw windowsErrorOf(ERROR_INVALID_NAME, { syscall: 'CreateFile', path });
  const drive = /^([A-Za-z]:)[\\/]/.exec(path);
  if (drive !== null) return `\\\\?\\${drive[1]}\\${resolved(path.slice(3))}`;
  if (/^[\\/]{2}[^\\/]/.test(path)) return `\\\\?\\UNC\\${resolved(path.slice(2))}`;
  // A relative one is bound to MAX_PATH.
  return path;
}

/** Whether nothing in a path is interpreted: `\\?\C:\x`. */
export const isLiteral = (path: string): boolean => path.startsWith('\\\\?\\');

/** With the superscript digits, which Windows takes for others. */
const devices = /^(CON|CONIN\$|CONOUT\$|PRN|AUX|NUL|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])$/i;

/**
 * The device of MS-DOS that a path leads to, wherever it seems to lie and whatever seems to follow: `C:\dir\nul`,
 * `con.txt`, `C:con`, `\\.\COM1`, `prn :x`.
 */
export function deviceIn(path: string): string | undefined {
  if (isLiteral(path)) return undefined;
  const name = (path.split(/[\\/]/).at(-1) ?? '').replace(/^[a-z]:/i, '').replace(/[.:].*$/s, '').trimEnd();
  return devices.exec(name)?.[1]?.toUpperCase();
}

function resolved(rest: string): string {
  const parts: string[] = [];
  for (const part of rest.split(/[\\/]+/)) {
    if (part === '..') parts.pop();
    // Dots and blanks at the end of a name are none outside of the form `\\?\`.
    else if (part.replace(/[. ]+$/, '') !== '') parts.push(part.replace(/[. ]+$/, ''));
  }
  return parts.join('\\');
}

// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../core/errors/agent-error.ts';
import { advapi32, HKEY_LOCAL_MACHINE } from './bindings/advapi32.ts';
import type { Out, Pointer } from './koffi.ts';
import { textOf, wide } from './layout.ts';
import { windowsErrorOf } from './system-error.ts';

const KEY_READ = 0x20019;
const KEY_WRITE = 0x20006;
/** The keys of 64-bit programs, whatever this process is. */
const KEY_WOW64_64KEY = 0x100;
const ERROR_FILE_NOT_FOUND = 2;
const REG_SZ = 1;
const REG_DWORD = 4;
const REG_MULTI_SZ = 7;

/** A value below HKEY_LOCAL_MACHINE; `undefined` where there is none. @throws os error otherwise */
function readValue(key: string, name: string): { readonly type: number; readonly data: Buffer } | undefined {
  const opened: Out<Pointer | null> = [null];
  const missing = advapi32.RegOpenKeyExW(HKEY_LOCAL_MACHINE, key, 0, KEY_READ | KEY_WOW64_64KEY, opened);
  if (missing === ERROR_FILE_NOT_FOUND || opened[0] === null) return undefined;
  if (missing !== 0) throw windowsErrorOf(missing, { syscall: 'RegOpenKeyEx', path: key });
  try {
    const type: Out<number> = [0];
    const size: Out<number> = [0];
    const code = advapi32.RegQueryValueExW(opened[0], name, null, type, null, size);
    if (code === ERROR_FILE_NOT_FOUND) return undefined;
    if (code !== 0) throw windowsErrorOf(code, { syscall: 'RegQueryValueEx', path: `${key}\\${name}` });
    const data = Buffer.alloc(size[0]);
    const failed = advapi32.RegQueryValueExW(opened[0], name, null, type, data, size);
    if (failed !== 0) throw windowsErrorOf(failed, { syscall: 'RegQueryValueEx', path: `${key}\\${name}` });
    return { type: type[0], data: data.subarray(0, size[0]) };
  } finally {
    advapi32.RegCloseKey(opened[0]);
  }
}

/** A text below HKEY_LOCAL_MACHINE, variables such as %SystemDrive% replaced by those of this process. */
export function registryText(key: string, name: string): string | undefined {
  const value = readValue(key, name);
  if (value === undefined || value.data.length < 2) return value === undefined ? undefined : '';
  return textOf(value.data).replaceAll(/%([^%]+)%/g, (whole, variable: string) => process.env[variable] ?? whole);
}

export function registryNumber(key: string, name: string): number | undefined {
  const value = readValue(key, name);
  return value?.type === REG_DWORD && value.data.length === 4 ? value.data.readUInt32LE(0) : undefined;
}

/** What a value is set to: a text, a number of 32 bits, or several texts. */
export type RegistryValue = string | number | readonly string[];

/**
 * Creates a key with its values. `''` names its default value.
 *
 * @throws os or failed error `failed to write registry key KEY: MESSAGE`
 */
export function writeRegistryKey(root: Pointer, key: string, values: Readonly<Record<string, RegistryValue>>): void {
  const made: Out<Pointer | null> = [null];
  const attempt = `failed to write registry key ${key}`;
  const code = advapi32.RegCreateKeyExW(root, key, 0, null, 0, KEY_WRITE | KEY_WOW64_64KEY, null, made, [0]);
  if (code !== 0 || made[0] === null) throw withContext(attempt, windowsErrorOf(code));
  try {
    for (const [name, value] of Object.entries(values)) {
      const [type, data] = encoded(value);
      const failed = advapi32.RegSetValueExW(made[0], name, 0, type, data, data.length);
      if (failed !== 0) throw withContext(attempt, windowsErrorOf(failed));
    }
  } finally {
    advapi32.RegCloseKey(made[0]);
  }
}

function encoded(value: RegistryValue): readonly [type: number, data: Buffer] {
  if (typeof value === 'string') return [REG_SZ, wide(value)];
  if (typeof value !== 'number') return [REG_MULTI_SZ, Buffer.concat([...value.map(wide), Buffer.alloc(2)])];
  const data = Buffer.alloc(4);
  data.writeUInt32LE(value);
  return [REG_DWORD, data];
}

/** Removes a key with everything in it. One that is not there is no error. @throws os error otherwise */
export function deleteRegistryKey(root: Pointer, key: string): void {
  const code = advapi32.RegDeleteTreeW(root, key);
  if (code !== 0 && code !== ERROR_FILE_NOT_FOUND) throw withContext(`failed to delete registry key ${key}`, windowsErrorOf(code));
}

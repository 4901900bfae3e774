// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from './bindings/kernel32.ts';
import { dllPath } from './dll.ts';
import type { Pointer } from './koffi.ts';
import { lastWindowsError } from './system-error.ts';

const LOAD_WITH_ALTERED_SEARCH_PATH = 8;

/** DLLs by path, loaded once and for good. */
const loaded = new Map<string, Pointer>();

/** The address of a function of a DLL; `undefined` where the DLL has no such function, as in an older system. @throws os error where it is missing */
export function findExport(name: string, key: string): Pointer | undefined {
  const path = dllPath(name, key);
  const library = loaded.get(path) ?? kernel32.LoadLibraryExW(path, 0n, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (library === 0n) throw lastWindowsError('LoadLibrary', path);
  loaded.set(path, library);
  const address = kernel32.GetProcAddress(library, key);
  return address === 0n ? undefined : address;
}

/** The same for one that has to be there. @throws os error */
export function demandExport(name: string, key: string): Pointer {
  const address = findExport(name, key);
  if (address === undefined) throw lastWindowsError('GetProcAddress', `${dllPath(name, key)}!${key}`);
  return address;
}

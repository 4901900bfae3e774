// SPDX-License-Identifier: Apache-2.0
import { dirname, join } from 'node:path';
import { koffi, type RawFunction } from './koffi.ts';
import { providerPath } from './vss/provider-path.ts';

type AnyFunction = (...args: never[]) => unknown;

/** Result of a call made on another thread, with the thread's last error right after it. */
export interface Called<Result> {
  readonly result: Result;
  readonly lastError: number;
}

/** A function of a DLL: called on this thread, or with `async` on one of libuv's pool. */
export type DllFunction<F extends AnyFunction> = F & {
  readonly async: (...args: Parameters<F>) => Promise<Called<ReturnType<F>>>;
};

/** A C prototype with the TypeScript type of the function that it declares. */
export type Prototype<F extends AnyFunction> = string & { readonly __function?: F };

export const prototype = <F extends AnyFunction>(definition: string): Prototype<F> => definition;

type Functions<P> = { readonly [Name in keyof P]: P[Name] extends Prototype<infer F> ? DllFunction<F> : never };

/** DLLs to load in place of the system's: doubles in tests. */
const replacements = new Map<string, string>();

/**
 * Loads other files for these DLLs, or for single functions of them, from now on. A function that was called before
 * keeps its DLL.
 *
 * @param files path by name: `{ 'vssapi.dll': 'C:\\doubles\\vssapi.dll', 'kernel32.dll!SetSystemTime': … }`
 */
export function replaceDlls(files: Readonly<Record<string, string>>): void {
  for (const [name, path] of Object.entries(files)) replacements.set(name, path);
}

/** DLLs of this package. */
const ownDlls: Readonly<Record<string, () => string>> = { 'concierge-vss.dll': providerPath };

/** By its whole path: a file of that name beside the program must not be loaded in its place. */
export const dllPath = (name: string, key: string): string =>
  replacements.get(`${name}!${key}`) ?? replacements.get(name) ?? ownDlls[name]?.() ?? join(systemDirectory(), name);

/** `C:\\Windows`. */
export const windowsDirectory = (): string => dirname(systemDirectory());

let itsSystemDirectory: string | undefined;

/** `C:\Windows\System32`, wherever this system has it. Asked of kernel32.dll, which every process has loaded from there already. */
export function systemDirectory(): string {
  itsSystemDirectory ??= askedFor();
  return itsSystemDirectory;
}

function askedFor(): string {
  const path = Buffer.alloc(2 * 32_768);
  const length = koffi().load('kernel32.dll').func('uint32_t __stdcall GetSystemDirectoryW(_Out_ void *path, uint32_t length)')(path, path.length / 2) as number;
  return path.toString('utf16le', 0, length * 2);
}

/** Every prototype there is, for the test that compares them with the headers. */
export const prototypes: { readonly dll: string; readonly name: string; readonly definition: string }[] = [];

/** A DLL with the functions that are used of it. Neither is looked for before the first call. */
export function dll<const P extends Readonly<Record<string, Prototype<AnyFunction>>>>(name: string, definitions: P): Functions<P> {
  const functions = {};
  for (const [key, definition] of Object.entries(definitions)) {
    prototypes.push({ dll: name, name: key, definition });
    Object.defineProperty(functions, key, {
      configurable: true,
      enumerable: true,
      get() {
        const made = callable(open(dllPath(name, key)).func(definition));
        Object.defineProperty(functions, key, { value: made, enumerable: true });
        return made;
      },
    });
  }
  return functions as Functions<P>;
}

type Library = ReturnType<ReturnType<typeof koffi>['load']>;

const libraries = new Map<string, Library>();

function open(path: string): Library {
  const known = libraries.get(path) ?? koffi().load(path);
  libraries.set(path, known);
  return known;
}

let lastErrorFunction: RawFunction | undefined;

/** What the last call on this thread said; koffi keeps it from everything that Node does in between. */
export function lastError(): number {
  lastErrorFunction ??= open(dllPath('kernel32.dll', 'GetLastError')).func('uint32_t __stdcall GetLastError()');
  return lastErrorFunction() as number;
}

/** A function that koffi made, with its `async` as a promise. */
export function callable<F extends AnyFunction>(raw: RawFunction): DllFunction<F> {
  // A null pointer is 0n here, as INVALID_HANDLE_VALUE is a number too.
  const call = (...args: readonly unknown[]): unknown => raw(...args) ?? 0n;
  const async = (...args: readonly unknown[]): Promise<Called<unknown>> =>
    new Promise((resolve, reject) => {
      raw.async(...args, (error: Error | null, result: unknown) => {
        // Here and not later: koffi restores the last error for the time of this callback only.
        if (error === null) resolve({ result: result ?? 0n, lastError: lastError() });
        else reject(error);
      });
    });
  return Object.assign(call, { async }) as unknown as DllFunction<F>;
}

// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';

/** An address of this process. koffi 3 gives them as BigInts that carry no type; 0 is `null`. */
export type Pointer = bigint;

/** What an output parameter is written to: `const size: Out<number> = [0]`. */
export type Out<T> = [T];

/** A type that koffi knows; opaque. */
export type KoffiType = object & { readonly __koffiType?: never };

/** One function of a DLL as koffi makes it. `async` runs on libuv's pool and calls back on the JavaScript thread. */
export interface RawFunction {
  (...args: readonly unknown[]): unknown;
  async(...argsAndCallback: readonly unknown[]): void;
}

/** The part of koffi 3 that is used here. Its own types answer `any` nearly everywhere. */
export interface Koffi {
  load(path: string): {
    func(definition: string): RawFunction;
    func(name: string, result: string, args: readonly (string | KoffiType)[]): RawFunction;
    unload(): void;
  };
  alloc(type: string, length: number): Pointer;
  free(address: Pointer): void;
  address(memory: ArrayBufferView): Pointer;
  /** Memory of the process as it is, not a copy; valid as long as the memory is. */
  view(address: Pointer, length: number): ArrayBuffer;
  decode(value: Pointer, type: string | KoffiType, length?: number): unknown;
  decode(value: Pointer, offset: number, type: string | KoffiType): unknown;
  proto(name: null, result: string, args: readonly (string | KoffiType)[]): KoffiType;
  pointer(type: string | KoffiType): KoffiType;
  out(type: string | KoffiType): KoffiType;
  struct(name: null, members: Readonly<Record<string, string | KoffiType>>): KoffiType;
  array(type: string | KoffiType, length: number): KoffiType;
  /** Makes a function that other threads may call; the call waits for the JavaScript thread. */
  register(callback: (...args: never[]) => unknown, type: KoffiType): Pointer;
  unregister(callback: Pointer): void;
}

let loaded: Koffi | undefined;

/**
 * koffi, loaded at the first use and on Windows only: it costs 10 MiB. `require` and not `import`, because the bindings
 * are used synchronously and a bundle must leave the package outside.
 */
export function koffi(): Koffi {
  loaded ??= createRequire(import.meta.url)('koffi') as Koffi;
  return loaded;
}

/** Copies memory of this process. */
export function copyOf(address: Pointer, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : Buffer.from(Buffer.from(koffi().view(address, length)));
}

/** The UTF-16 text at an address up to its zero character; '' for `null`. */
export const wideText = (address: Pointer): string =>
  (address === 0n ? '' : (koffi().decode(address, 'char16_t', -1) as string));

/**
 * Keeps what a running call points to. V8 may collect a buffer whose address alone was passed on: name it here after
 * the call.
 */
export function keepAlive(..._memory: readonly unknown[]): void {}

// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { posixErrorOf } from '../../core/errors/posix-errno.ts';
import { nativeAddon, type NativeAddon } from './native.ts';
import { textFromBytes } from './text.ts';

/** Calls of native/linux/kernel-files.cc, which wait for nothing. A number is a negative errno. */
interface KernelFilesAddon extends NativeAddon {
  readText(path: string): string | number;
  readLatin1(path: string): string | number;
  /** As `readLatin1`; `undefined` for a file that is longer than so many bytes. */
  readShort(path: string, limit: number): string | number | undefined;
  /** For files that are at their end where a read comes short: attributes in sysfs, ordinary files. */
  readAttribute(path: string): string | number;
  /** As `readAttribute` for each of the names, which have a `/` behind them; an errno where the directory can't be opened. */
  readEach(directory: string, names: string, attribute: string): readonly (string | number)[] | number;
  /** Descriptors of lists of mounts. */
  openWatched(path: string): number;
  readWatched(fd: number): string | number;
  hasChanged(fd: number): boolean;
  closeWatched(fd: number): void;
  exists(path: string): boolean;
  /** Each with a `/` behind it. */
  listDirectory(path: string): string | number;
  readLink(path: string): string | number;
  realPath(path: string): string | number;
}

const ENOENT = 2;

/** Hundreds of routes. */
const shortLimit = 32 * 1024;

let addon: KernelFilesAddon | undefined;
const kernel = (): KernelFilesAddon => (addon ??= nativeAddon() as KernelFilesAddon);

/*
 * Files that the kernel makes up (/proc, /sys) or that lie in memory (/run): read at once and synchronously, for no
 * disk can delay them. Files on a disk are not read with these.
 */

/** The os error behind what node:fs threw. */
export function fileError(error: unknown): AgentError {
  if (AgentError.is(error)) return error;
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    const { syscall, path } = error as NodeJS.ErrnoException;
    return posixErrorOf(error.errno, { ...(syscall !== undefined && { syscall }), ...(path !== undefined && { path }) });
  }
  return withContext('unexpected failure', error);
}

/** A failed error `TEXT: STRERROR`, a whole sentence that nobody puts another one in front of. */
export const failedBecause = (text: string, error: unknown): AgentError =>
  AgentError.failed(withContext(text, fileError(error)).message, error);

/** @throws os error of open(2) or read(2) */
export function readText(path: string): string {
  const text = kernel().readText(path);
  if (typeof text === 'string') return text;
  try {
    // Asked again for all that there is to say of the failure.
    return textFromBytes(readFileSync(path));
  } catch (error) {
    throw fileError(error);
  }
}

/** The whole of a file with one character for each byte; `undefined` where it can't be read. */
export function latin1Text(path: string): string | undefined {
  const text = kernel().readLatin1(path);
  return typeof text === 'string' ? text : undefined;
}

/**
 * The whole of a file that the kernel makes up as long as it is read, where that takes no longer than to start a thread; else
 * `undefined`, for whatever reason. One character for each byte; `null` where there is no such file.
 */
export function shortText(path: string): string | null | undefined {
  const text = kernel().readShort(path, shortLimit);
  if (typeof text === 'string') return text;
  return text === -ENOENT ? null : undefined;
}

/** A list of mounts that is read once and again only when the kernel says that it has changed. */
export class WatchedList {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `undefined` where it can't be opened. */
  static open(path: string): WatchedList | undefined {
    const fd = kernel().openWatched(path);
    return fd < 0 ? undefined : new WatchedList(fd);
  }

  /** One character for each byte; `undefined` where it can't be read. */
  read(): string | undefined {
    const text = kernel().readWatched(this.#fd);
    return typeof text === 'string' ? text : undefined;
  }

  /** Since this was asked last, or it was opened. */
  hasChanged(): boolean {
    return kernel().hasChanged(this.#fd);
  }

  close(): void {
    kernel().closeWatched(this.#fd);
  }
}

/** As `readText`, without the white space around it; `undefined` where it can't be read, for whatever reason. */
export function attribute(path: string): string | undefined {
  const text = kernel().readAttribute(path);
  return typeof text === 'string' ? text.trim() : undefined;
}

/** The same for a file that may be missing: `null` where its directory is there, and the file is not. */
export function attributeIfAny(directory: string, name: string): string | null | undefined {
  const text = kernel().readAttribute(`${directory}/${name}`);
  if (typeof text === 'string') return text.trim();
  return text === -ENOENT && kernel().exists(directory) ? null : undefined;
}

/** As `attribute`; a negative errno where it can't be read. */
export function attributeOrErrno(path: string): string | number {
  const text = kernel().readAttribute(path);
  return typeof text === 'string' ? text.trim() : text;
}

/** The attribute of each of the folders in a directory, in one call; a negative errno where it can't be read. */
export function attributesOfEach(directory: string, names: readonly string[], file: string): readonly (string | number)[] {
  const texts = kernel().readEach(directory, names.map((name) => `${name}/`).join(''), file);
  return typeof texts === 'number' ? names.map(() => texts) : texts;
}

/** Whether the path leads to anything. */
export const exists = (path: string): boolean => kernel().exists(path);

/** Names in a directory, sorted. @throws os error of opendir(3) */
export function namesIn(path: string): string[] {
  const names = kernel().listDirectory(path);
  if (typeof names === 'string') return sorted(names);
  try {
    return readdirSync(path).sort();
  } catch (error) {
    throw fileError(error);
  }
}

/** As `namesIn`, empty where it can't be read. */
export function namesInIfAny(path: string): string[] {
  const names = kernel().listDirectory(path);
  return typeof names === 'string' ? sorted(names) : [];
}

const sorted = (names: string): string[] => (names === '' ? [] : names.slice(0, -1).split('/').sort());

/** Last component of what a link points to: the driver's name behind `driver`. */
export function linkName(path: string): string | undefined {
  const target = kernel().readLink(path);
  return typeof target === 'string' ? target.slice(target.lastIndexOf('/') + 1) : undefined;
}

/** What a link has in it, as text; `undefined` where it is none. */
export function linkText(path: string): string | undefined {
  const target = kernel().readLink(path);
  return typeof target === 'string' ? target : undefined;
}

/** Where a path really leads within `root`, as a path below `root`; `undefined` where it leads nowhere. */
export function resolvedBelow(root: string, path: string): string | undefined {
  const real = kernel().realPath(root + path);
  if (typeof real !== 'string' || root === '') return typeof real === 'string' ? real : undefined;
  const top = kernel().realPath(root);
  return typeof top === 'string' && real.startsWith(`${top}/`) ? real.slice(top.length) : undefined;
}

/**
 * As `resolvedBelow`, for a link that the kernel makes from a name to a device: `/sys/block/sda`, `/sys/dev/block/8:1`,
 * `slaves/sda1`. No directory of /sys/devices is a link, so that on the running system one look is enough.
 */
export function deviceBehind(root: string, link: string): string | undefined {
  if (root !== '') return resolvedBelow(root, link);
  const target = kernel().readLink(link);
  return typeof target === 'string' ? resolve(dirname(link), target) : undefined;
}

/** `KEY=VALUE` lines (uevent, logind's session files) as a map; the last of equal keys counts. */
export function keyValueLines(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return values;
}

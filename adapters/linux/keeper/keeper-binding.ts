// SPDX-License-Identifier: Apache-2.0
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What native/linux/keeper-link.cc offers. */
export interface KeeperAddon extends NativeAddon {
  /** Owns `fd`. @throws os error where it is no socket of packets */
  readonly KeeperLink: new (fd: number) => NativeKeeperLink;
  /** A memory file with these bytes: its descriptor is the caller's. */
  memoryFile(bytes: Uint8Array, name: string): number;
}

export interface NativeKeeperLink {
  /** A message that comes within so many milliseconds; `null`: nothing more will come. A descriptor is the caller's; −1: none. */
  next(ms: number): { readonly text: Buffer; readonly fd: number } | undefined | null;
  /** Whether it went: never waits. The descriptor stays the caller's; −1: none. */
  say(text: string, fd: number): boolean;
  /** Calls back whenever `next` has something. Once. */
  listen(onReadable: () => void): void;
  close(): void;
}

export const keeperAddon = (): KeeperAddon => nativeAddon() as KeeperAddon;

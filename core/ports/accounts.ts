// SPDX-License-Identifier: Apache-2.0
import type { Ready } from './file-system.ts';

/** People and their credentials. */
export interface Accounts {
  readonly sessions?: {
    /** Who is logged in: one entry per session, in the system's order. Empty where the system keeps no record. */
    list(): Ready<readonly UserSession[]>;
  };
  readonly passwords?: {
    /**
     * Sets a password. `crypted`: `password` is a hash in the system's own form.
     * @throws failed error with the system's reason; unknown users too
     */
    set(user: string, password: Uint8Array, crypted: boolean): Promise<void>;
  };
  readonly sshKeys?: SshKeys;
  readonly groups?: {
    /**
     * Names of the groups that a user is in, the first one among them, as the system's name services know them now.
     * @throws failed error for an unknown user, and where the system cannot tell
     */
    of(user: string): Promise<readonly string[]>;
  };
}

export interface UserSession {
  readonly user: string;
  readonly domain?: string;
  /** Seconds since 1970-01-01 UTC, with a fraction. */
  readonly loginTime: number;
}

/**
 * The authorized_keys file of a user. Work inside the user's home is done with the user's own rights and follows no
 * symbolic link that the user could have planted.
 */
export interface SshKeys {
  /** Where the file is or would be. @throws failed error `failed to lookup user 'NAME': …` for an unknown user */
  locate(user: string): Promise<string>;
  /**
   * The whole text, or `undefined` when there is no file. What is no text in it comes back unchanged when it is written:
   * Linux has a lone surrogate for each byte that is no UTF-8.
   * @throws os error when it is there but cannot be read
   */
  read(user: string): Promise<string | undefined>;
  /**
   * Replaces the text atomically, owned by the user and private; creates the directory (not the home) where missing.
   * @throws failed error that says which step went wrong; then the old file is untouched
   */
  write(user: string, text: string): Promise<void>;
  /**
   * Why keys in that file may let nobody in, as a sentence for the log: the SSH server looks elsewhere. `undefined` where
   * nothing of that kind is known. Never rejects.
   */
  overlooked?(): Promise<string | undefined>;
}

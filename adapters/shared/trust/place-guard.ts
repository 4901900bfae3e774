// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode } from '../../../core/errors/agent-error.ts';

/**
 * Who may have written what the agent obeys, on a system whose rights are not those of POSIX. Set before anything is read;
 * synchronous, because it is used at the start.
 */
export interface PlaceGuard {
  /** The bytes of a small file, judged on the handle that is then read. @throws os error, or `untrusted` */
  read(path: string, limit: number): Buffer;
  /** Why a folder or file must not be used, as a sentence; nothing where it may. */
  whyDistrusted(path: string): string | undefined;
  /** Makes a folder, and what is missing above it, for administrators alone. @throws os error, or `untrusted` where one is there that may not be used */
  makeFolder(path: string): void;
}

let guard: PlaceGuard | undefined;

export const usePlaceGuard = (its: PlaceGuard): void => {
  guard = its;
};

/** `undefined` on systems with owners and modes. */
export const placeGuard = (): PlaceGuard | undefined => guard;

const code = 'UNTRUSTED';

/** A place that is not used, with the sentence of the rule. */
export const untrusted = (sentence: string): AgentError => AgentError.os({ code, errno: 5, osText: sentence });

export const isUntrusted = (error: unknown): boolean => osCode(error) === code;

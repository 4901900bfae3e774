// SPDX-License-Identifier: Apache-2.0
import type { GuestClient } from '../guest-client.ts';

/** A guest that a command line means. */
export interface Target {
  readonly name: string;
  readonly open: () => Promise<GuestClient>;
}

/** Variables of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

// SPDX-License-Identifier: Apache-2.0
import { inject } from 'vitest';
import type { Kind } from './base-image.ts';

/** Why there are no machines of a kind; a kind that can be had is absent. */
export type Lacking = Partial<Record<Kind, string>>;

declare module 'vitest' {
  export interface ProvidedContext {
    lacking: Lacking;
  }
}

/** Why this suite's machines of a kind cannot be had, as prepare.ts has found out; `undefined` where they can. */
export const lacking = (kind: Kind = 'base'): string | undefined => inject('lacking')[kind];

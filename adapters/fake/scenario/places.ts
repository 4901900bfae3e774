// SPDX-License-Identifier: Apache-2.0
import type { Entry } from './scenario.ts';

/** Where the entries of a scenario that was read stand in its file: `NAME:LINE:COLUMN`. */
export const places = new WeakMap<Entry, string>();

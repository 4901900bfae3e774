// SPDX-License-Identifier: Apache-2.0
import { lstatSync, type BigIntStats } from 'node:fs';

/** What lies at a path, links not followed; `undefined` for nothing. */
export const fileStatus = (path: string): BigIntStats | undefined => lstatSync(path, { bigint: true, throwIfNoEntry: false });

/** Whether it is the very same file, and not another that has taken its name. */
export const isSameFile = (one: BigIntStats, other: BigIntStats | undefined): boolean => one.dev === other?.dev && one.ino === other.ino;

// SPDX-License-Identifier: Apache-2.0
/** 100-nanosecond steps between 1601, where FILETIME begins, and 1970. */
const epoch = 116_444_736_000_000_000n;

/** Nanoseconds since 1970-01-01 UTC of a FILETIME. */
export const fromFileTime = (fileTime: bigint): bigint => (fileTime - epoch) * 100n;

export const toFileTime = (nanoseconds: bigint): bigint => nanoseconds / 100n + epoch;

// SPDX-License-Identifier: Apache-2.0
import type { Clock, ReferenceReading } from '../ports/clock.ts';

/** A reading as exact as this needs no better one: ten milliseconds. */
export const exactEnough = 10_000_000n;

/** By how many nanoseconds the wall clock is behind another that was read a moment ago; negative: ahead. */
export const behind = (clock: Clock, { time, monotonic }: ReferenceReading): bigint => time + (clock.monotonic() - monotonic) - clock.now();

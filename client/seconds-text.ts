// SPDX-License-Identifier: Apache-2.0
/** A time limit as people give it: `5 s`, `0.25 s`. */
export const secondsText = (ms: number): string => `${Number((ms / 1000).toFixed(3))} s`;

// SPDX-License-Identifier: Apache-2.0
import { layout } from '../layout.ts';

/** `calls::Call` of native/windows/vss-provider/calls.h. */
export const call = layout('calls::Call', 'calls.h', 80, {
  function: [0, 'pointer'], arguments: [8, 'bytes64'], result: [72, 'i32'],
});

/** How many arguments a call has room for, `this` among them. */
export const mostArguments = 8;

/** `calls::Worker` of the same. */
export const worker = layout('calls::Worker', 'calls.h', 24, { wanted: [0, 'pointer'], done: [8, 'pointer'], call: [16, 'pointer'] });

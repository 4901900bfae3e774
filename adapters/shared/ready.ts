// SPDX-License-Identifier: Apache-2.0
import type { Ready } from '../../core/ports/index.ts';

/** Goes on with a value, at once where it is there: a question that waits for nothing costs no promise. */
export const next = <T, R>(value: Ready<T>, then: (value: T) => Ready<R>): Ready<R> => (value instanceof Promise ? value.then(then) : then(value));

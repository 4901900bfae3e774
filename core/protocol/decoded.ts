// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from './value.ts';

/** One value, or one error to be answered; errors are those of the text itself, not of what it says. */
export type Decoded =
  | {
      readonly kind: 'value';
      readonly value: JsonValue;
      /** JSON text of the member `id` of a top-level object, ready to echo; numbers stand as they were sent. */
      readonly idText: string | undefined;
    }
  | {
      readonly kind: 'error';
      /** The whole `desc`: `JSON parse error, expecting value`. */
      readonly desc: string;
    };

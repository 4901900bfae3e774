// SPDX-License-Identifier: Apache-2.0
import { protocolLimits } from './limits.ts';

export const limitErrors = {
  size: 'JSON token size limit exceeded',
  count: 'JSON token count limit exceeded',
  depth: 'JSON nesting depth limit exceeded',
} as const;

/** The `desc` of an error in a token or in the order of tokens. `place`: line and column of the token, `1:25`. */
export const parseError = (place: string, text: string): string => `${place}: JSON parse error, ${text.slice(0, protocolLimits.echo)}`;

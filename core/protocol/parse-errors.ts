import { protocolLimits } from './limits.ts';

export const limitErrors = {
  size: 'JSON token size limit exceeded',
  count: 'JSON token count limit exceeded',
  depth: 'JSON nesting depth limit exceeded',
} as const;

/** The `desc` of an error in a token or in the order of tokens. */
export const parseError = (text: string): string => `JSON parse error, ${text.slice(0, protocolLimits.echo)}`;

import type { GoldenLine } from './golden.ts';

/** Where the protocol layer answers otherwise than the recording, and why (rows of docs/differences.md). */
export interface ProtocolDifference {
  readonly reason: string;
  readonly responses?: readonly GoldenLine[];
  readonly after_ping?: readonly GoldenLine[];
}

const verbatim = (id: string): ProtocolDifference => ({
  reason: 'a number sent as `id` is echoed as it was sent, which is always valid JSON and what the client compares with',
  responses: [`{"return": {}, "id": ${id}}`],
});

const once = (text: string): ProtocolDifference => ({
  reason: 'an oversized value is answered once; the rest of it is not read as new input',
  responses: [`{"error": {"class": "GenericError", "desc": "JSON ${text} limit exceeded"}}`],
});

/** Key: group and name of the recording. */
export const protocolDifferences: Readonly<Record<string, ProtocolDifference>> = {
  'dispatch/id-float-int': verbatim('1.0'),
  'dispatch/id-exp': verbatim('1e3'),
  'dispatch/id-neg-zero-float': verbatim('-0.0'),
  'dispatch/id-small': verbatim('1e-7'),
  'dispatch/id-pi': verbatim('3.141592653589793'),
  'dispatch/id-overflow': verbatim('1e400'),
  'parse/depth-1025': once('nesting depth'),
  'parse/depth-2000': once('nesting depth'),
  'parse/depth-2000-open-only': {
    reason: 'the oversized value ends at its line feed; qemu-ga takes what follows for its continuation',
    after_ping: ['{"return": {}}'],
  },
  'parse/depth-1025-objects': once('nesting depth'),
  'limits/string-64MiB': once('token size'),
  'limits/tokens-over-2Mi': once('token count'),
  'args/ping-two-extra': {
    reason: 'of several undeclared members the one sent first is named; qemu-ga names one by the order of its hash',
    responses: [`{"error": {"class": "GenericError", "desc": "Parameter 'foo' is unexpected"}}`],
  },
};

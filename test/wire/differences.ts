import type { GoldenLine } from './golden.ts';

/**
 * Where Concierge answers otherwise than the recording. The reason is the row `row` of docs/differences.md: a test holds
 * the two together.
 */
export interface Difference {
  /** Anchor of the row. */
  readonly row: string;
  /** What Concierge answers, where that can be said line by line; absent: the recording's own. */
  readonly responses?: readonly GoldenLine[];
  readonly after_ping?: readonly GoldenLine[];
  readonly after_sync?: readonly GoldenLine[];
}

const answer = (row: string, ...responses: readonly GoldenLine[]): Difference => ({ row, responses });
const failure = (row: string, desc: string): Difference => answer(row, JSON.stringify({ error: { class: 'GenericError', desc } }).replaceAll('":', '": ').replaceAll(',"', ', "'));

const verbatim = (id: string): Difference => answer('numeric-id', `{"return": {}, "id": ${id}}`);
const once = (text: string): Difference => failure('oversized-once', `JSON ${text} limit exceeded`);
const unknownPid = (pid: string): Difference => failure('unknown-pid', `PID ${pid} does not exist`);

/** The kernel's members are put in by the replay. */
const osInfo = (before: string, between: string, after: string): Difference => {
  const kernel = ['"kernel-release": ""', ...(between === '' ? [] : [between]), '"kernel-version": ""', '"machine": ""'];
  const members = [...(before === '' ? [] : [before]), ...kernel, ...(after === '' ? [] : [after])];
  return answer('os-release', `{"return": {${members.join(', ')}}}`);
};

/** Key: group and name of the recording. */
export const differences: Readonly<Record<string, Difference>> = {
  'dispatch/id-float-int': verbatim('1.0'),
  'dispatch/id-exp': verbatim('1e3'),
  'dispatch/id-neg-zero-float': verbatim('-0.0'),
  'dispatch/id-small': verbatim('1e-7'),
  'dispatch/id-pi': verbatim('3.141592653589793'),
  'dispatch/id-overflow': verbatim('1e400'),
  'parse/depth-1025': once('nesting depth'),
  'parse/depth-2000': once('nesting depth'),
  'parse/depth-2000-open-only': { row: 'oversized-once', after_ping: ['{"return": {}}'] },
  'parse/depth-1025-objects': once('nesting depth'),
  'limits/string-64MiB': once('token size'),
  'limits/tokens-over-2Mi': once('token count'),
  'numbers/exec-status pid=one': unknownPid('1'),
  'numbers/exec-status pid=neg': unknownPid('-1'),
  'numbers/exec-status pid=neg-zero': unknownPid('0'),
  'numbers/exec-status pid=max': unknownPid('9223372036854775807'),
  'numbers/exec-status pid=min': unknownPid('-9223372036854775808'),
  'numbers/exec-status pid=2^53': unknownPid('9007199254740992'),
  'numbers/exec-status pid=2^53+1': unknownPid('9007199254740993'),
  'args/ping-two-extra': failure('undeclared-member', "Parameter 'foo' is unexpected"),

  'file/probe: size on disk before flush': answer('write-through', '13'),
  'file/nul in path': answer('nul-in-path', {
    head: `{"error": {"class": "GenericError", "desc": "failed to open file '`,
    tail: `files/x\\u0000y' (mode: 'w'): the path has a zero byte"}}`,
  }),
  'file/probe: name of that file': answer('nul-in-path', ''),

  'exec/status again': answer('exec-asked-again', '{"return": {"exitcode": 0, "exited": true}}'),
  'exec/process group status': answer(
    'exec-session',
    "pgid is the agent's: False, session is the agent's: False, SigBlk: 0000000000000000 SigIgn: 0000000000000000 0022",
  ),
  'exec/grandchild holds stdout: status at 0.3s': answer(
    'exec-grandchild',
    '{"return": {"exitcode": 0, "out-data": "cGFyZW50LWRvbmUK", "out-truncated": false, "exited": true}}',
  ),

  'commands/osinfo-single-quoted': osInfo('"name": "It is"', '"pretty-name": "a b"', '"id": "x y"'),
  'commands/osinfo-trailing-comment': osInfo('"name": "Q"', '"version": "unterminated"', '"id": "deb"'),
  'commands/osinfo-no-equals': osInfo('', '', '"id": "x"'),
  'commands/osinfo-section': osInfo('"name": "b"', '', '"id": "a"'),
  'commands/osinfo-invalid-utf8': osInfo('"name": "caf\\uFFFD"', '', '"id": "x"'),
};

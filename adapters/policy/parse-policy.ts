// SPDX-License-Identifier: Apache-2.0
import { isMap, isSeq, Lexer, LineCounter, parseDocument, visit, type Alias, type ParsedNode } from 'yaml';

import { AgentError } from '../../core/errors/agent-error.ts';
import { plainPath } from '../../core/errors/plain-path.ts';
import type { Effect, Origin, Rule } from '../../core/policy/rule.ts';
import { commandGroups } from '../../core/schema/command.ts';
import { listOf, record, required, size, suggestion, text, turned, word, type Shape } from '../shared/yaml-shape.ts';

/** What one file says. */
export interface PolicyFile {
  readonly rules: readonly Rule[];
  /** The default, and whether the host is told of it. */
  readonly otherwise?: Effect;
  readonly tell?: Rule['tell'];
  /** Where the default was written. */
  readonly defaultOrigin?: Origin;
}

export interface ParsePolicyOptions {
  /** What to call the file in errors. */
  readonly name: string;
  readonly commands: readonly string[];
}

const mostMistakes = 20;
const mostOfAList = 1000;
const longestText = 1024;
/** Brackets within brackets. A rule has three; each is a step of the parser's stack, and a megabyte of them took it 22 s and 1 GB to refuse. */
const deepest = 32;

/**
 * Reads a file of rules.
 *
 * @throws failed error with one line for each mistake: `NAME:LINE:COLUMN: what is wrong, and what was meant`
 */
export function parsePolicy(source: string, { name, commands }: ParsePolicyOptions): PolicyFile {
  const deep = tooDeep(source);
  if (deep !== undefined) throw AgentError.failed(`${name}:${source.slice(0, deep).split('\n').length}: brackets are nested more than ${deepest} deep`);
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
  const mistakes = document.errors.map(({ pos, message }) => ({ at: pos[0], sentence: message }));
  const wrong = (node: { readonly range?: readonly number[] | null } | null, sentence: string): void => void mistakes.push({ at: node?.range?.[0] ?? 0, sentence });
  const position = (at: number): { readonly line: number; readonly col: number } => lines.linePos(at);
  // An alias of aliases of aliases is more rules than memory.
  visit(document, {
    Alias: (_key, node: Alias) => {
      wrong(node, `'*${node.source}' is an alias: write it out`);
      return visit.BREAK;
    },
  });
  const placeOf = (node: ParsedNode | null): string => String(position(node?.range[0] ?? 0).line);
  const file = mistakes.length > 0 || document.contents === null ? undefined : fileShape(name, commands)(document.contents, { wrong, placeOf });
  if (mistakes.length === 0) return file ?? { rules: [] };
  const told = mistakes.toSorted((one, other) => one.at - other.at).slice(0, mostMistakes).map(({ at, sentence }) => {
    const { line, col } = position(at);
    return `${name}:${line}:${col}: ${sentence}`;
  });
  throw AgentError.failed([...told, ...(mistakes.length > mostMistakes ? [`… and ${mistakes.length - mostMistakes} more`] : [])].join('\n'));
}

/** Where brackets are nested too deep. Those of quoted text and comments are told apart only where there are as many. */
function tooDeep(source: string): number | undefined {
  let depth = 0;
  const step = (token: string): boolean => {
    if (token === '[' || token === '{') depth += 1;
    else if ((token === ']' || token === '}') && depth > 0) depth -= 1;
    return depth > deepest;
  };
  if (!Array.from(source.matchAll(/[[\]{}]/g)).some(([bracket]) => step(bracket))) return undefined;
  depth = 0;
  let at = 0;
  for (const token of new Lexer().lex(source)) {
    if (step(token)) return at;
    at += token.length;
  }
  return undefined;
}

const effects = ['allow', 'refuse'] as const;
const listeners = ['host', 'log'] as const;

function fileShape(file: string, commands: readonly string[]): Shape<PolicyFile> {
  const whole = record('a policy', { default: withLine(word('default', effects)), tell: word('listener', listeners), rules: listOf(ruleShape(commands)) });
  return turned(whole, ({ default: otherwise, tell, rules = [] }) => ({
    rules: rules.map(({ line, ...rule }) => ({ tell: tell ?? 'log', ...rule, origin: { kind: 'file', file, line } })),
    ...(otherwise !== undefined && { otherwise: otherwise.value, tell: tell ?? 'log', defaultOrigin: { kind: 'file', file, line: otherwise.line, isDefault: true } }),
  }));
}

const withLine = <T>(shape: Shape<T>): Shape<{ readonly value: T; readonly line: number }> => (node, reading) => {
  const value = shape(node, reading);
  return value === undefined ? undefined : { value, line: Number(reading.placeOf(node)) };
};

type ReadRule = Omit<Rule, 'tell' | 'origin'> & { readonly tell?: Rule['tell']; readonly line: number };

function ruleShape(commands: readonly string[]): Shape<ReadRule> {
  const command = checked(pattern, (given) =>
    (/[*?\\]/.test(given) || commands.includes(given) ? undefined : `no command is named '${given}'${shortSuggestion(given, commands)}`));
  const members = record('a rule', {
    name: required(checked(text, (given) => (/^\w[\w .-]{0,63}$/.test(given) ? undefined : `'${given}' is no name of a rule: letters, digits, blanks, '.', '_' and '-', 64 at most`))),
    effect: required(word('effect', effects)),
    commands: some(command),
    groups: some(word('group', commandGroups)),
    except: some(command),
    channels: some(bounded),
    when: conditions,
    reason: checked(bounded, (given) => (/\p{C}/u.test(given) ? 'a reason is one line, without control characters' : undefined)),
    tell: word('listener', listeners),
  });
  return (node, reading) => {
    const rule = members(node, reading);
    return rule === undefined ? undefined : { ...rule, line: Number(reading.placeOf(node)) };
  };
}

/** What there is would be fifty names: only what was meant is told. */
const shortSuggestion = (given: string, names: readonly string[]): string => {
  const sentence = suggestion(given, names);
  return sentence.includes('did you mean') ? sentence : ': concierge-ga --block-rpcs=help lists them';
};

const checked = <T>(shape: Shape<T>, problemWith: (value: T) => string | undefined): Shape<T> => (node, reading) => {
  const value = shape(node, reading);
  const problem = value === undefined ? undefined : problemWith(value);
  if (problem === undefined) return value;
  reading.wrong(node, problem);
  return undefined;
};

/** A list that says something: an empty one would say the opposite of none. */
const some = <T>(element: Shape<T>): Shape<readonly T[]> => (node, reading) => {
  if (isSeq(node) && node.items.length === 0) {
    reading.wrong(node, 'the list is empty: take it out, or name something');
    return undefined;
  }
  return few(element)(node, reading);
};

const few = <T>(element: Shape<T>): Shape<readonly T[]> =>
  checked(listOf(element), ({ length }) => (length > mostOfAList ? `the list is longer than ${mostOfAList}` : undefined));

const bounded = checked(text, (given) => {
  if (given === '' || given.length > longestText) return `a text has 1 to ${longestText} characters`;
  return given.includes('\0') ? 'a text has no zero byte' : undefined;
});
const pattern = checked(bounded, (given) => (/(?:^|[^\\])(?:\\\\)*\\$/.test(given) ? String.raw`a pattern does not end in '\'` : undefined));
/** An argument may be empty. */
const argument: Shape<string> = (node, reading) => (text(node, { ...reading, wrong: () => undefined }) === '' ? '' : pattern(node, reading));

const root = turned(
  checked(bounded, (given) => {
    if (!given.startsWith('/')) return `'${given}' is no absolute path`;
    if (given.split('/').includes('..')) return `'${given}' has '..' in it: write the path that it leads to`;
    return /[*?]/.test(given) ? `'${given}' has a star or question mark: name directories and files, all below a directory is in it` : undefined;
  }),
  plainPath,
);
const programs = checked(pattern, (given) => (/^[/*]/.test(given) ? undefined : `'${given}' is no absolute path: a program is compared by its real one`));

const notEmpty = <T>(shape: Shape<T>, what: string): Shape<T> => (node, reading) => {
  if (!isMap(node) || node.items.length > 0) return shape(node, reading);
  reading.wrong(node, `${what} is empty: take it out, or say something`);
  return undefined;
};

const conditions = turned(notEmpty(record("'when'", {
  programs: some(programs),
  arguments: checked(few(argument), (given) => (given.indexOf('...') in given && given.indexOf('...') < given.length - 1 ? "'...' stands at the end" : undefined)),
  environment: few(pattern),
  files: notEmpty(record("'files'", { read: some(root), write: some(root) }), "'files'"),
  users: some(pattern),
  'user-groups': some(pattern),
  'mount-points': some(pattern),
  size: turned(notEmpty(record("'size'", { 'at-most': size, 'more-than': size }), "'size'"), ({ 'at-most': atMost, 'more-than': moreThan }) => ({
    ...(atMost !== undefined && { atMost: BigInt(atMost) }),
    ...(moreThan !== undefined && { moreThan: BigInt(moreThan) }),
  })),
}), "'when'"), ({ 'mount-points': mountPoints, 'user-groups': userGroups, ...rest }) => ({ ...rest, ...(mountPoints !== undefined && { mountPoints }), ...(userGroups !== undefined && { userGroups }) }));

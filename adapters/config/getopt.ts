// SPDX-License-Identifier: Apache-2.0
/** A long option and, where it has one, its letter. */
export interface OptionSyntax {
  readonly long: string;
  readonly short?: string;
  /** `optional`: only attached, `-F/path` or `--name=/path`. */
  readonly argument: 'none' | 'required' | 'optional';
  /** Preferred when an abbreviation fits several: the options that qemu-ga has, so that its abbreviations stay good. */
  readonly preferred?: boolean;
}

export type GetoptItem<O extends OptionSyntax> =
  | { readonly kind: 'option'; readonly option: O; readonly value: string | undefined }
  /** What getopt_long(3) would print, without the program's name. */
  | { readonly kind: 'error'; readonly message: string }
  | { readonly kind: 'word'; readonly word: string };

/**
 * Reads a command line as GNU getopt_long(3) does: letters may be bundled, values attached or the next word, long names
 * cut short where that is unambiguous, words that are no options anywhere, `--` ends the options.
 */
export function* getopt<O extends OptionSyntax>(words: readonly string[], options: readonly O[]): Generator<GetoptItem<O>> {
  const queue = words[Symbol.iterator]();
  for (const word of queue) {
    if (word === '--') {
      for (const rest of queue) yield { kind: 'word', word: rest };
      return;
    }
    if (word.startsWith('--')) yield long(word.slice(2), queue, options);
    else if (word.startsWith('-') && word !== '-') yield* bundle(word.slice(1), queue, options);
    else yield { kind: 'word', word };
  }
}

function long<O extends OptionSyntax>(text: string, queue: Iterator<string>, options: readonly O[]): GetoptItem<O> {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const attached = equals < 0 ? undefined : text.slice(equals + 1);
  const candidates = matching(name, options);
  const [option] = candidates;
  if (option === undefined) return error(`unrecognized option '--${name}'`);
  if (candidates.length > 1) {
    return error(`option '--${text}' is ambiguous; possibilities: ${candidates.map((one) => `'--${one.long}'`).join(' ')}`);
  }
  if (attached !== undefined) {
    return option.argument === 'none' ? error(`option '--${option.long}' doesn't allow an argument`) : found(option, attached);
  }
  if (option.argument !== 'required') return found(option, undefined);
  const next = queue.next();
  return next.done === true ? error(`option '--${option.long}' requires an argument`) : found(option, next.value);
}

function matching<O extends OptionSyntax>(name: string, options: readonly O[]): readonly O[] {
  const exact = options.find((option) => option.long === name);
  if (exact !== undefined) return [exact];
  const fitting = options.filter((option) => option.long.startsWith(name));
  const preferred = fitting.filter((option) => option.preferred === true);
  return preferred.length > 0 ? preferred : fitting;
}

function* bundle<O extends OptionSyntax>(letters: string, queue: Iterator<string>, options: readonly O[]): Generator<GetoptItem<O>> {
  let rest = letters;
  while (rest !== '') {
    const letter = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    rest = rest.slice(letter.length);
    const option = options.find((one) => one.short === letter);
    if (option === undefined) {
      yield error(`invalid option -- '${letter}'`);
      continue;
    }
    if (option.argument === 'none') {
      yield found(option, undefined);
      continue;
    }
    if (rest !== '' || option.argument === 'optional') {
      yield found(option, rest === '' ? undefined : rest);
      return;
    }
    const next = queue.next();
    yield next.done === true ? error(`option requires an argument -- '${letter}'`) : found(option, next.value);
    return;
  }
}

const error = (message: string): { readonly kind: 'error'; readonly message: string } => ({ kind: 'error', message });

const found = <O extends OptionSyntax>(option: O, value: string | undefined): GetoptItem<O> => ({ kind: 'option', option, value });

// SPDX-License-Identifier: Apache-2.0
import { createInterface } from 'node:readline/promises';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { harmless } from '../../../core/errors/harmless-text.ts';
import { commands } from '../../../core/schema/index.ts';
import { readCommandLine } from '../command-line.ts';
import { encodeArguments } from '../../encode-arguments.ts';
import { withFrozenHint } from '../frozen-hint.ts';
import { jsonText } from '../print-json.ts';
import { flagsIn, subcommandOf } from '../find-subcommand.ts';
import { pairs } from '../table.ts';
import type { RunSubcommand, SubcommandContext, SubcommandEntry } from '../terminal.ts';
import { completionsOf, schemaOf, typedArguments, wordsOf } from '../typed-arguments.ts';
import { UsageError } from '../usage-error.ts';

/** Subcommands that make sense in a conversation. */
const insideOf = (subcommands: readonly SubcommandEntry[]): readonly SubcommandEntry[] => subcommands.filter(({ name, needsGuest }) => name !== 'shell' && name !== 'frozen' && name !== 'login' && needsGuest !== false);
/** Words of the conversation itself. */
const ownWords: Readonly<Record<string, string>> = {
  help: 'Lists all that can be typed, or with a name behind it tells of one.',
  exit: 'Ends the conversation, as does Ctrl-D.',
  quit: 'The same.',
};
const wordsIn = (inside: readonly SubcommandEntry[]): Readonly<Record<string, readonly string[]>> => ({ help: [], exit: [], quit: [], ...Object.fromEntries(inside.map(({ name, flags }) => [name, [...flags, { name: 'json' }].map((flag) => `--${flag.name}`)])) });

/** A conversation: one command a line, `NAME ARGUMENT=VALUE…`, or a subcommand; with completion. */
export const run: RunSubcommand = async (context) => {
  const { client, stdin, stdout, isWatched, print } = context;
  const own = wordsIn(insideOf(context.subcommands));
  const lines = createInterface({
    input: stdin,
    output: stdout,
    terminal: isWatched,
    prompt: isWatched ? 'guest> ' : '',
    completer: (line: string): [string[], string] => {
      const [fitting, begun] = completionsOf(line, own);
      return [[...fitting], begun];
    },
  });
  if (isWatched) print('One command a line, as in: guest-file-open path=/etc/hostname, or fs. Tab completes, help explains, exit, quit or Ctrl-D ends.\n');
  let ended = false;
  lines.once('close', () => (ended = true));
  // Input that has come to its end still has lines to be read, but nobody to be prompted.
  const prompt = (): void => {
    if (!ended) lines.prompt();
  };
  prompt();
  let failed = false;
  for await (const line of lines) {
    const [name, ...rest] = wordsOf(line);
    if (name === 'exit' || name === 'quit') break;
    const problem = await answer(isWatched ? { ...context, ask: (question) => lines.question(harmless(question)) } : context, name, rest);
    if (problem !== undefined) print(`${harmless(problem)}\n`);
    failed ||= problem !== undefined;
    if (!client.isOpen) return 3;
    prompt();
  }
  lines.close();
  // Somebody who typed has seen it; a script has to be told.
  return failed && !isWatched ? 1 : 0;
};

/** Answers what went wrong. */
async function answer(context: SubcommandContext, name: string | undefined, rest: readonly string[]): Promise<string | undefined> {
  if (name === undefined) return undefined;
  const { client, print } = context;
  const inside = insideOf(context.subcommands);
  try {
    if (name === 'help') print(helpOn(rest[0], inside));
    else if (inside.some((entry) => entry.name === name)) await subcommand(context, [name, ...rest]);
    else {
      const schema = schemaOf(name);
      const args = schema === undefined ? '{}' : encodeArguments(schema, typedArguments(schema, rest)).join('');
      print(`${jsonText(await client.executeRaw(name, args))}\n`);
    }
    return undefined;
  } catch (error) {
    return messageOf(await withFrozenHint(client, error));
  }
}

/** As from the command line, but in this conversation. */
async function subcommand(context: SubcommandContext, words: readonly string[]): Promise<void> {
  const line = readCommandLine(words, flagsIn(context.subcommands));
  const entry = subcommandOf(context.subcommands, line);
  // Both would take away what is typed.
  if (['stdin', 'interactive', 'tty'].some((flag) => line.flags.has(flag)) || (entry.name === 'cp' && line.words[0] === '-')) throw new UsageError('standard input is this conversation');
  const { run: obey } = await entry.load();
  await obey({ ...context, words: line.words, flags: line.flags, json: line.flags.has('json') });
}

function helpOn(name: string | undefined, inside: readonly SubcommandEntry[]): string {
  if (name !== undefined && Object.hasOwn(ownWords, name)) return `${name}: ${ownWords[name] ?? ''}\n`;
  const entry = inside.find((one) => one.name === name);
  if (entry !== undefined) return `${`${entry.name} ${entry.usage}`.trimEnd()}: ${entry.summary}\n`;
  const schema = name === undefined ? undefined : schemaOf(name);
  if (schema !== undefined) {
    const members = Object.entries(schema.arguments).map(([member, { optional, doc }]) => [`  ${member}=${optional ? ' (optional)' : ''}`, doc] as const);
    return `${schema.name}: ${schema.summary}\n${pairs(members)}`;
  }
  if (name !== undefined) throw new UsageError(`there is no '${name}': help alone lists what there is`);
  return pairs([
    ...Object.entries(ownWords),
    ...inside.map((one) => [one.name, one.summary] as const),
    ...commands.map((command) => [command.name, command.summary.split('. ', 1)[0]] as const),
  ]);
}

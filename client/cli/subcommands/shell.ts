import { createInterface } from 'node:readline/promises';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { commands } from '../../../core/schema/index.ts';
import { encodeArguments } from '../../encode-arguments.ts';
import type { GuestClient } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import { pairs } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';
import { completionsOf, schemaOf, typedArguments, wordsOf } from '../typed-arguments.ts';

const own = ['help', 'exit'];

/** A conversation: one command a line, `NAME ARGUMENT=VALUE…`, with completion. */
export const run: RunSubcommand = async ({ client, stdin, stdout, isWatched }) => {
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
  if (isWatched) stdout.write('One command a line, as in: guest-file-open path=/etc/hostname. Tab completes, help explains, Ctrl-D ends.\n');
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
    if (name === 'exit') break;
    const problem = await answer(client, name, rest, (text) => stdout.write(text));
    if (problem !== undefined) stdout.write(`${problem}\n`);
    failed ||= problem !== undefined;
    if (!client.isOpen) return 3;
    prompt();
  }
  lines.close();
  // Somebody who typed has seen it; a script has to be told.
  return failed && !isWatched ? 1 : 0;
};

/** Answers what went wrong. */
async function answer(client: GuestClient, name: string | undefined, rest: readonly string[], print: (text: string) => void): Promise<string | undefined> {
  if (name === undefined) return undefined;
  if (name === 'help') {
    print(helpOn(rest[0]));
    return undefined;
  }
  try {
    const schema = schemaOf(name);
    const args = schema === undefined ? '{}' : encodeArguments(schema, typedArguments(schema, rest)).join('');
    print(`${jsonText(await client.executeRaw(name, args))}\n`);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function helpOn(name: string | undefined): string {
  const schema = name === undefined ? undefined : schemaOf(name);
  if (schema === undefined) return pairs(commands.map((command) => [command.name, command.summary.split('. ', 1)[0]]));
  const members = Object.entries(schema.arguments).map(([member, { optional, doc }]) => [`  ${member}=${optional ? ' (optional)' : ''}`, doc] as const);
  return `${schema.name}: ${schema.summary}\n${pairs(members)}`;
}

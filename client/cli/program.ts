// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../../core/errors/agent-error.ts';
import { harmless, harmlessLines } from '../../core/errors/harmless-text.ts';
import type { GuestClient } from '../guest-client.ts';
import { readCommandLine, type CommandLine } from './command-line.ts';
import { withFrozenHint } from './frozen-hint.ts';
import { flagsIn, subcommandNamed, subcommandOf } from './find-subcommand.ts';
import { subcommands } from './subcommands.ts';
import { statusOfError } from './status-of-error.ts';
import { pairs, table, type Column } from './table.ts';
import { targetsOf } from './targets.ts';
import type { RunSubcommand, SubcommandEntry, Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface ProgramOptions extends Terminal {
  /** The command line after the program's name. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Opens the channel that the flags name; replaced by a test. */
  readonly connect?: (line: CommandLine) => Promise<GuestClient>;
}

/** Does what the command line says. Answers the exit status; never throws. */
export async function runProgram(options: ProgramOptions): Promise<number> {
  const { stdout, stderr, words, version } = options;
  try {
    const line = readCommandLine(words, flagsIn(subcommands));
    if (line.flags.has('version')) {
      stdout.write(`concierge-ctl ${version}\n`);
      return 0;
    }
    if (line.flags.has('help') || line.subcommand === 'help') {
      const { helpText, subcommandHelp } = await import('./help-text.ts');
      const about = line.subcommand === 'help' ? line.words[0] : line.subcommand;
      stdout.write(about === undefined ? helpText() : subcommandHelp(subcommandNamed(subcommands, about)));
      return 0;
    }
    return await obey(subcommandOf(subcommands, line), line, options);
  } catch (error) {
    const message = messageOf(error);
    const about = error instanceof UsageError && subcommands.some(({ name }) => name === error.about) ? `${error.about} ` : '';
    stderr.write(`concierge-ctl: ${harmless(message)}${error instanceof UsageError ? ` (try 'concierge-ctl ${about}--help')` : ''}\n`);
    return statusOfError(error);
  }
}

async function obey(entry: SubcommandEntry, line: CommandLine, options: ProgramOptions): Promise<number> {
  const { run: carryOut, runTogether } = await entry.load();
  const run: RunSubcommand = async (given) => {
    try {
      return await carryOut(given);
    } catch (error) {
      throw UsageError.of(error, entry.name);
    }
  };
  const { stdin, stdout, stderr, isWatched, isScreen = false, isTyped = false, signals = process, environment } = options;
  const print = (text: string): void => void stdout.write(harmlessLines(text));
  const context = {
    subcommands,
    stdin, stdout, stderr, isWatched, isScreen, isTyped, signals, environment,
    ...(isTyped && isWatched ? { ask: async (question: string) => (await import('./ask.ts')).ask(question, stdin, stderr) } : {}),
    print,
    complain: (text: string) => void stderr.write(harmlessLines(text)),
    showTable: (columns: readonly Column[], rows: readonly (readonly string[])[]) => print(table(columns, rows)),
    showPairs: (given: readonly (readonly [name: string, value: string | undefined])[]) => print(pairs(given)),
    words: line.words,
    flags: line.flags,
    json: line.flags.has('json'),
  };
  // Only what needs no guest is run without one.
  if (entry.needsGuest === false) return await run({ ...context, client: undefined as unknown as GuestClient });
  const { guests, areMany } = await targetsOf(line, environment, options.connect);
  const [guest] = guests;
  if (areMany || guest === undefined) {
    if (entry.many === undefined) throw new UsageError(`${entry.name} is for one guest, and ${guests.length} are meant`);
    if (runTogether !== undefined) return await runTogether(context, guests, async () => (await targetsOf(line, environment, options.connect)).guests);
    const { runForEach } = await import('./many-guests.ts');
    return await runForEach(run, context, guests, entry.opensItself === true);
  }
  if (entry.opensItself === true) return await run({ ...context, client: undefined as unknown as GuestClient, reconnect: guest.open });
  const client = await guest.open();
  try {
    return await run({ ...context, client, reconnect: guest.open });
  } catch (error) {
    throw await withFrozenHint(client, error);
  } finally {
    client.close();
  }
}

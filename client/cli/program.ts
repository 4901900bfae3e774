// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../../core/errors/agent-error.ts';
import { harmless, harmlessLines } from '../../core/errors/harmless-text.ts';
import { ClientError, type ClientErrorKind } from '../client-error.ts';
import type { GuestClient } from '../guest-client.ts';
import { channelOf } from './channel-of.ts';
import { readCommandLine, type CommandLine } from './command-line.ts';
import { withFrozenHint } from './frozen-hint.ts';
import { flagsIn, subcommandNamed, subcommandOf } from './find-subcommand.ts';
import { subcommands } from './subcommands.ts';
import { isEndingSignal, statusOfSignal } from './signals.ts';
import type { SubcommandEntry, Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export interface ProgramOptions extends Terminal {
  /** The command line after the program's name. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Opens the channel that the flags name; replaced by a test. */
  readonly connect?: (line: CommandLine) => Promise<GuestClient>;
}

/** 0 done, 1 the guest refused or failed, 2 the command line makes no sense, 3 no channel, 4 no answer in time. */
const statusOf: Readonly<Record<ClientErrorKind, number>> = {
  refused: 1, garbage: 1, 'too-large': 1, 'hold-lost': 1, 'left-frozen': 1, aborted: 1, closed: 3, timeout: 4,
};

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
    stderr.write(`concierge-ctl: ${harmless(message)}${error instanceof UsageError ? " (try 'concierge-ctl --help')" : ''}\n`);
    if (error instanceof UsageError) return 2;
    if (ClientError.is(error) && isEndingSignal(error.cause)) return statusOfSignal(error.cause);
    return ClientError.is(error) ? statusOf[error.kind] : 1;
  }
}

async function obey(entry: SubcommandEntry, line: CommandLine, options: ProgramOptions): Promise<number> {
  const { run } = await entry.load();
  const { stdin, stdout, stderr, isWatched, isScreen = false, isTyped = false, signals = process } = options;
  const open = options.connect ?? ((given: CommandLine) => channelOf(given, options.environment));
  const client = entry.needsGuest === false ? undefined : await open(line);
  try {
    return await run({
      subcommands,
      stdin, stdout, stderr, isWatched, isScreen, isTyped, signals,
      ...(isTyped && isWatched ? { ask: async (question: string) => (await import('./ask.ts')).ask(question, stdin, stderr) } : {}),
      print: (text) => void stdout.write(harmlessLines(text)),
      complain: (text) => void stderr.write(harmlessLines(text)),
      words: line.words,
      flags: line.flags,
      json: line.flags.has('json'),
      // Only what needs no guest is run without one.
      client: client as GuestClient,
      reconnect: () => open(line),
    });
  } catch (error) {
    throw client === undefined ? error : await withFrozenHint(client, error);
  } finally {
    client?.close();
  }
}

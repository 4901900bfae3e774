import { messageOf } from '../../core/errors/agent-error.ts';
import { ClientError, type ClientErrorKind } from '../client-error.ts';
import { connectHybridVsock, connectUnix } from '../connect.ts';
import { GuestClient } from '../guest-client.ts';
import { globalFlags, readCommandLine, type CommandLine } from './command-line.ts';
import { flagsOf, subcommandOf, subcommands } from './subcommands.ts';
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
    const line = readCommandLine(words, flagsOf);
    if (line.flags.has('version')) {
      stdout.write(`concierge-ctl ${version}\n`);
      return 0;
    }
    if (line.flags.has('help') || line.subcommand === 'help') {
      stdout.write(helpText());
      return 0;
    }
    return await obey(subcommandOf(line), line, options);
  } catch (error) {
    const message = messageOf(error);
    stderr.write(`concierge-ctl: ${message}${error instanceof UsageError ? " (try 'concierge-ctl --help')" : ''}\n`);
    if (error instanceof UsageError) return 2;
    return ClientError.is(error) ? statusOf[error.kind] : 1;
  }
}

async function obey(entry: SubcommandEntry, line: CommandLine, options: ProgramOptions): Promise<number> {
  const { run } = await entry.load();
  const { stdin, stdout, stderr, isWatched } = options;
  const open = options.connect ?? ((given: CommandLine) => channelOf(given, options.environment));
  const client = entry.needsGuest === false ? undefined : await open(line);
  try {
    return await run({
      stdin, stdout, stderr, isWatched,
      words: line.words,
      flags: line.flags,
      json: line.flags.has('json'),
      // Only what needs no guest is run without one.
      client: client as GuestClient,
    });
  } catch (error) {
    throw client === undefined ? error : await explained(client, error);
  } finally {
    client?.close();
  }
}

/** A frozen agent refuses most commands in words that say nothing of it: qemu-ga's, which hosts compare. */
async function explained(client: GuestClient, error: unknown): Promise<unknown> {
  if (!ClientError.is(error) || !error.message.includes('has been disabled')) return error;
  const status = await client.execute('guest-fsfreeze-status').catch(() => undefined);
  if (status !== 'frozen') return error;
  return new ClientError('refused', `${error.message} while the guest is frozen (concierge-ctl thaw ends that)`, { cause: error });
}

async function channelOf({ flags }: CommandLine, environment: ProgramOptions['environment']): Promise<GuestClient> {
  const timeout = flags.get('timeout');
  if (timeout !== undefined && !/^\d+(\.\d+)?$/.test(timeout)) throw new UsageError(`--timeout takes a number of seconds, not '${timeout}'`);
  const limits = timeout === undefined ? {} : { timeoutMs: Number(timeout) * 1000 };
  const vsock = flags.get('vsock');
  if (vsock !== undefined) {
    const [, path, port] = /^(.+):(\d+)$/.exec(vsock) ?? [];
    if (path === undefined) throw new UsageError(`--vsock takes the host's socket and a port, as in /run/vm.vsock:1024, not '${vsock}'`);
    return new GuestClient(await connectHybridVsock(path, Number(port)), limits);
  }
  const path = flags.get('socket') ?? environment['CONCIERGE_SOCKET'];
  if (path === undefined || path === '') throw new UsageError('say which guest: --socket PATH (or CONCIERGE_SOCKET), or --vsock PATH:PORT');
  return new GuestClient(await connectUnix(path), limits);
}

function helpText(): string {
  const left = subcommands.map(({ name, usage }) => `  ${name} ${usage}`.trimEnd());
  const flags = globalFlags.map(({ name, placeholder }) => `[--${name}${placeholder === undefined ? '' : ` ${placeholder}`}]`);
  return [
    `Usage: concierge-ctl ${flags.join(' ')}`,
    '                     SUBCOMMAND [...]',
    'Asks a guest through the socket of its agent, and gives it orders.',
    '',
    ...subcommands.map(({ summary }, index) => {
      const head = left[index] ?? '';
      return head.length > 34 ? `${head}\n${' '.repeat(36)}${summary}` : `${head.padEnd(36)}${summary}`;
    }),
    '',
    'The socket is that of the agent\'s port in QEMU, or of an agent that listens itself; CONCIERGE_SOCKET names it, too.',
    '--vsock is for the hybrid sockets of Cloud Hypervisor and Firecracker.',
    'Exit status: 0 done, 1 refused, 2 misused, 3 no channel, 4 no answer in time; with exec that of the program.',
    '',
  ].join('\n');
}

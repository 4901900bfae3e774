// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../core/errors/agent-error.ts';
import { closestName } from '../../core/errors/closest-name.ts';
import { harmlessLines } from '../../core/errors/harmless-text.ts';
import { readCommandLine } from '../config/command-line.ts';
import { dumpConfiguration } from '../config/dump.ts';
import { helpText, subcommandHelp } from '../config/help.ts';
import { versionLine } from '../config/product.ts';
import { readRegularFile } from '../config/read-regular-file.ts';
import { readSettings, type Request, type SettingsSource } from '../config/settings.ts';
import type { Platform } from '../config/settings-table.ts';
import { usePlaceGuard } from '../shared/trust/place-guard.ts';
import type { ActivatedSocket } from '../linux/channels/socket-activation.ts';
import type { Composition } from './composition.ts';
import type { Foreground } from './daemon.ts';
import { boundHeap } from './heap.ts';
import type { KeeperSide } from './keeper.ts';
import type { Service } from './windows-service.ts';
import { processAddon } from './process-addon.ts';
import type { RunResult } from './run.ts';
import { subcommands, type SubcommandEntry } from './subcommands/index.ts';

export interface ProgramOptions {
  /** What the program was called as, for messages. */
  readonly program: string;
  /** The command line after it. */
  readonly words: readonly string[];
  readonly process: NodeJS.Process;
  readonly composition: () => Promise<Composition>;
  /** Standard output and standard error; synchronous, because the process may end at once. */
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

/** Reads the command line and does what it says. Answers how the process is to end; never throws. */
export async function runProgram(given: ProgramOptions): Promise<RunResult> {
  // Messages name what was typed and what lies on disks.
  const options = { ...given, complain: (text: string) => given.complain(harmlessLines(text)) };
  const { program, process, words } = options;
  if (process.platform === 'win32') usePlaceGuard((await import('../windows/module.ts')).windowsGuard);
  if (process.platform === 'win32' && words.some((word) => asksForService.test(word))) {
    const { runAsService } = await import('./windows-service.ts');
    const result = await runAsService((service) => obeyOrComplain({ ...options, complain: (text) => service.say(text) }, service));
    if (result !== undefined) return result;
  }
  const background = await backgroundOf(process.env);
  return obeyOrComplain({ ...options, complain: (text) => (background ?? { say: options.complain }).say(`${program}: ${text}`) }, background);
}

/** `-d` and `--daemonize`, abbreviated or among other letters. One that is none costs a console a moment. */
const asksForService = /^(?:-[^-]*d|--da)/;

async function obeyOrComplain(options: ProgramOptions, background: Background | undefined): Promise<RunResult> {
  try {
    return await obey(options, background);
  } catch (error) {
    options.complain(messageOf(error));
    return { status: 1 };
  }
}

/** Whoever started this process and does not see it: the command in the foreground, or a service manager. */
type Background = Foreground & Pick<Service, 'system'>;

async function obey(options: ProgramOptions, background: Background | undefined): Promise<RunResult> {
  const { program, process, print, complain } = options;
  const late = commandBehindOptions(options.words);
  const words = late === undefined || isReferenceName(program) ? options.words : late;
  const platform: Platform = process.platform === 'win32' ? 'windows' : 'posix';
  const subcommand = subcommands.find(({ name }) => name === words[0]);
  const { own, values, rest } = splitFlags(subcommand, words);
  const activated = subcommand === undefined ? await socketOf(process, background !== undefined) : undefined;
  const keeper = subcommand === undefined ? await keeperFor(process.env, complain) : undefined;
  const source: SettingsSource = {
    words: rest,
    configurationVariable: process.env['QGA_CONF'],
    platform,
    readFile: readRegularFile,
    ...(activated === undefined ? {} : { handedOver: { fd: 3, method: activated.method } }),
  };
  const { request, problem } = readAll(source, subcommand, keeper?.settings);
  request.complaints.forEach(complain);
  // Whatever this is, it is no agent, and a next one would be none either.
  if (request.kind !== 'run') keeper?.side.end();
  switch (request.kind) {
    case 'version':
      print(`${versionLine}\n`);
      return { status: 0 };
    case 'help':
      print(subcommand === undefined ? helpText(program, platform, subcommands) : subcommandHelp(program, subcommand));
      return { status: 0 };
    case 'list-commands': {
      const { listedCommands } = await import('./command-names.ts');
      print(`${listedCommands(platform).join('\n')}\n`);
      return { status: 0 };
    }
    case 'misused':
      if (late !== undefined && words !== late) throw AgentError.failed(hasToComeFirst(late[0] as string, program));
      print(`Unknown option, try '${program} --help' for more information.\n`);
      return { status: 1 };
    case 'refused':
      complain(request.reason);
      return { status: 1 };
    case 'dump':
      print(dumpConfiguration(request.settings, platform));
      return { status: 0 };
    case 'run':
      break;
  }
  if (subcommand !== undefined) return { status: await runSubcommand(subcommand, own, values, { ...request, problem }, options) };
  try {
    refuseWords(request.words, program);
    return await runAgent(request, activated, background, keeper?.side, options);
  } catch (error) {
    // One that cannot even begin would not the next time either.
    keeper?.side.end();
    throw error;
  }
}

/** The settings; for a subcommand that can do without, those that are left where they cannot be used as a whole, and why. */
function readAll(
  source: SettingsSource,
  subcommand: SubcommandEntry | undefined,
  read: (source: SettingsSource) => Request = readSettings,
): { readonly request: Request; readonly problem: string | undefined } {
  const request = read(source);
  if (request.kind !== 'refused' || subcommand?.withoutConfiguration !== true) return { request, problem: undefined };
  const rest = [source.words, []].map((words) => readSettings({ ...source, words, withoutFile: true })).find(({ kind }) => kind === 'run');
  return { request: rest ?? request, problem: request.reason };
}

/**
 * An agent that starts instead of what was meant is the last thing wanted. Under the name of qemu-ga, which passes over words,
 * only those are refused that are surely meant.
 */
function refuseWords(words: readonly string[], program: string): void {
  const names = subcommands.map(({ name }) => name);
  const misplaced = words.find((word) => names.includes(word));
  if (misplaced !== undefined) throw AgentError.failed(hasToComeFirst(misplaced, program));
  const [first] = words;
  if (first === undefined || isReferenceName(program)) return;
  throw AgentError.failed(`there is no command '${first}'${suggestion(first, names)}`);
}

const hasToComeFirst = (name: string, program: string): string => `'${name}' has to come first: ${program} ${name} [<options>]`;

/**
 * The words with the subcommand in front, for a command line on which only options of the agent precede it. What follows
 * belongs to the subcommand, so only what precedes is read. Behind `--` a word means nothing.
 */
function commandBehindOptions(words: readonly string[]): readonly string[] | undefined {
  if (words[0]?.startsWith('-') !== true) return undefined;
  const names = subcommands.map(({ name }) => name);
  for (const [at, word] of words.entries()) {
    if (word === '--') return undefined;
    if (!names.includes(word)) continue;
    const items = [...readCommandLine(words.slice(0, at + 1))];
    // Where the word is the value of an option, the last item is that option.
    if (items.every(({ kind }, index) => kind === (index === items.length - 1 ? 'word' : 'option'))) return [word, ...words.slice(0, at), ...words.slice(at + 1)];
  }
  return undefined;
}

/** Of a program called `/usr/sbin/qemu-ga` or `qemu-ga.exe`. */
const isReferenceName = (program: string): boolean => /(?:^|[/\\])qemu-ga(?:\.exe)?$/i.test(program);

/** Subcommands of concierge-ctl that somebody may look for here. */
const ofHost = ['info', 'fs', 'net', 'users', 'os', 'status', 'trim', 'exec', 'cp', 'shell', 'raw'];

function suggestion(word: string, names: readonly string[]): string {
  const there = `there are ${names.join(', ')}`;
  if (['help', 'version'].includes(word)) return `: did you mean --${word}? (${there})`;
  const meant = closestName(word, [...names, ...ofHost]);
  if (meant === undefined) return `: ${there}`;
  return names.includes(meant) ? `: did you mean ${meant}? (${there})` : `: did you mean 'concierge-ctl ${meant}', which is for the host? (${there})`;
}

const withoutAddon = 'without the native addon two agents on one state directory do not notice each other, and nothing goes to syslog';

type RunRequest = Extract<Request, { settings: unknown }>;

async function runSubcommand(entry: SubcommandEntry, flags: ReadonlySet<string>, values: ReadonlyMap<string, string>, request: RunRequest & { readonly problem: string | undefined }, options: ProgramOptions): Promise<number> {
  const [{ run }] = await Promise.all([entry.load(), processAddon()]);
  request.warnings.forEach(options.complain);
  const { settings, words, file, warnings, problem } = request;
  return run({ settings, configuration: { file, warnings, ...(problem === undefined ? {} : { problem }) }, words, flags, options: values, composition: await options.composition(), print: options.print, complain: options.complain });
}

async function runAgent(
  { settings, warnings, words }: RunRequest,
  activated: ActivatedSocket | undefined,
  background: Background | undefined,
  keeper: KeeperSide | undefined,
  { program, process, composition, complain }: ProgramOptions,
): Promise<RunResult> {
  if (settings.daemon && keeper === undefined && background === undefined && process.platform !== 'win32') {
    const { startInBackground } = await import('./daemon.ts');
    // What the other process says begins with the program's name already.
    return { status: await startInBackground(activated !== undefined, (text) => complain(text.startsWith(`${program}: `) ? text.slice(program.length + 2) : text)) };
  }
  const isService = process.env['NOTIFY_SOCKET'] !== undefined;
  // Of the unit, and on the command line by now: no matter of what the agent starts.
  delete process.env['CONCIERGE_GA_OPTIONS'];
  const [{ run }, { serviceNotifier }, addon] = await Promise.all([import('./run.ts'), import('./service-manager.ts'), processAddon()]);
  if (settings.daemon && keeper === undefined && background === undefined) {
    throw AgentError.failed(`the option -d is for the service manager: use '${program} service start', or leave it out to run in this console`);
  }
  // Node calls its first thread, and so the process, MainThread.
  addon?.nameProcess('concierge-ga');
  const system = background?.system;
  return run({
    // The keeper is what a service manager, or a shell, waits for.
    settings: keeper === undefined ? settings : { ...settings, daemon: false },
    warnings: [
      ...warnings,
      ...words.map((word) => `'${word}' on the command line is no option and is ignored`),
      ...(addon === undefined && process.platform === 'linux' ? [withoutAddon] : []),
    ],
    composition: await composition(),
    addon,
    ...(system === undefined ? {} : { system, account: (text) => system.report('info', text) }),
    ...(activated === undefined ? {} : { activated }),
    process,
    ident: program.slice(program.lastIndexOf('/') + 1),
    isService,
    notify: keeper === undefined ? serviceNotifier(process.env, addon) : (state) => keeper.notify(state),
    ...(keeper === undefined ? {} : { keeper }),
    ready: () => {
      background?.ready();
      boundHeap();
    },
  });
}

/** The keeper of this agent, and the settings as it knows them. */
async function keeperFor(
  environment: NodeJS.ProcessEnv,
  complain: (text: string) => void,
): Promise<{ readonly side: KeeperSide; readonly settings: (source: SettingsSource) => Request } | undefined> {
  if (environment['CONCIERGE_GA_KEEPER'] === undefined) return undefined;
  const { keeperOf, keptSettings } = await import('./keeper.ts');
  const side = await keeperOf(environment, complain);
  return side && { side, settings: (source) => keptSettings(source, side, complain) };
}

function splitFlags(subcommand: SubcommandEntry | undefined, words: readonly string[]): { readonly own: ReadonlySet<string>; readonly values: ReadonlyMap<string, string>; readonly rest: readonly string[] } {
  if (subcommand === undefined) return { own: new Set(), values: new Map(), rest: words };
  const own = new Set(subcommand.flags.filter((flag) => words.includes(`--${flag}`)));
  const values = new Map<string, string>();
  const rest: string[] = [];
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at] as string;
    const option = subcommand.options?.find((name) => word === `--${name}` || word.startsWith(`--${name}=`));
    if (option === undefined) {
      if (!own.has(word.slice(2)) || !word.startsWith('--')) rest.push(word);
    } else if (word.includes('=')) {
      values.set(option, word.slice(option.length + 3));
    } else {
      at += 1;
      values.set(option, words[at] ?? '');
    }
  }
  return { own, values, rest };
}

async function backgroundOf(environment: NodeJS.ProcessEnv): Promise<Foreground | undefined> {
  if (environment['CONCIERGE_GA_READY_FD'] === undefined) return undefined;
  const { foreground } = await import('./daemon.ts');
  return foreground(environment);
}

/** The socket of the service manager. In the background the variables speak of the process that was in the foreground. */
async function socketOf(process: NodeJS.Process, inBackground: boolean): Promise<ActivatedSocket | undefined> {
  const { env, pid } = process;
  if (env['LISTEN_FDS'] === undefined || process.platform === 'win32') return undefined;
  if (!inBackground && env['LISTEN_PID'] !== String(pid)) return undefined;
  const { activatedSocket } = await import('../linux/channels/socket-activation.ts');
  // The process in the foreground hands the variables on; they are only taken out where the socket is used.
  return activatedSocket(inBackground ? env : { ...env }, { pid: inBackground ? Number(env['LISTEN_PID']) : pid });
}

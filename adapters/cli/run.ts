// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { messageOf } from '../../core/errors/agent-error.ts';
import type { Keeper, Transport } from '../../core/ports/index.ts';
import type { Settings } from '../config/settings.ts';
import { compatibleWith, version } from '../config/product.ts';
import { ProcessLog } from '../logging/process-log.ts';
import { openAudit } from '../audit/open-audit.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { syslog, type SendDatagram } from '../logging/syslog.ts';
import type { SystemLog } from '../shared/system-log.ts';
import { within } from '../shared/within.ts';
import { hasPolicyFiles } from '../policy/load-policy.ts';
import { FileStateStore } from '../state-store/state-store.ts';
import type { ActivatedSocket } from '../linux/channels/socket-activation.ts';
import type { AgentParts, Composition } from './composition.ts';
import { watchForEnding, type Ending, type EndingWatch } from './ending.ts';
import type { KeeperSide } from './keeper.ts';
import { createPidFile, type PidFile } from './pid-file.ts';
import type { ProcessAddon } from './process-addon.ts';
import type { Notify } from './service-manager.ts';
import { makeThreadPool } from './thread-pool.ts';

export interface RunOptions {
  readonly settings: Settings;
  readonly warnings: readonly string[];
  readonly composition: Pick<Composition, 'createAgent' | 'loadPolicy'>;
  readonly addon: ProcessAddon | undefined;
  readonly activated?: ActivatedSocket;
  /** What outlives this agent. */
  readonly keeper?: KeeperSide;
  readonly process: NodeJS.Process;
  /** Where accounting lines go besides the log; syslog where absent. */
  readonly account?: (text: string) => void;
  /** The system's log, for errors and warnings of a service. */
  readonly system?: SystemLog;
  /** Name in syslog. */
  readonly ident: string;
  readonly notify: Notify;
  /** Who started it sends SIGHUP to reload it, and not because a terminal is gone. */
  readonly isService?: boolean;
  /** Called once hosts can come. */
  readonly ready: () => void;
}

/** How the life of an agent ended: with a status, or by a signal that is still to have its effect. */
export type RunResult = { readonly status: number } | { readonly signal: NodeJS.Signals };

/** How long the last lines of the log may take to be written, in milliseconds. */
const lastLinesMs = 2000;

/** How long channels besides the first may take to open before the agent goes on without them, in milliseconds. */
const openingMs = 2000;

/**
 * The life of an agent, from its settings to its end. Whatever ends it, what is frozen is thawed first.
 * @throws failed error with one line for the administrator when it could not even begin
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const settings = absolute(options.settings);
  const { addon, keeper } = options;
  const early: string[] = [...options.warnings];
  let warn = (line: string): void => void early.push(line);
  const store = new FileStateStore({
    directory: settings.statedir,
    warn: (line) => warn(line),
    ...(addon === undefined ? {} : { lock: (fd) => addon.lockFile(fd, keeper !== undefined) }),
    ...(keeper === undefined ? {} : { kept: keeper }),
  });
  const life = new Life(options, settings, store);
  try {
    const frozen = (await store.readFreezeMarker()) !== undefined;
    const log = life.openLog(frozen);
    warn = (line) => log.warning(line);
    early.forEach(warn);
    await life.begin(log, frozen);
  } catch (error) {
    await life.end({ kind: 'unfit', reason: messageOf(error) });
    throw error;
  }
  return life.finish();
}

/** Everything that has to be given back, in the order in which it came. */
class Life {
  readonly #options: RunOptions;
  readonly #settings: Settings;
  readonly #store: FileStateStore;
  #log: ProcessLog | undefined;
  #audit: AuditTrail | undefined;
  #watch: EndingWatch | undefined;
  #parts: AgentParts | undefined;
  #pidFile: PidFile | undefined;
  /** One after the other. */
  #reloading: Promise<void> = Promise.resolve();

  constructor(options: RunOptions, settings: Settings, store: FileStateStore) {
    this.#options = options;
    this.#settings = settings;
    this.#store = store;
  }

  openLog(frozen: boolean): ProcessLog {
    const { addon, ident, account, system } = this.#options;
    const { verbose, logfile, audit: where } = this.#settings;
    if (where !== undefined) {
      const send: SendDatagram | undefined = addon === undefined ? undefined : (path, bytes) => addon.sendDatagram(path, bytes);
      this.#audit = openAudit({ where, ident: 'concierge-ga', send, held: frozen, warn: (line) => this.#log?.error(line) });
    }
    this.#log = new ProcessLog({
      verbose,
      file: logfile,
      held: frozen,
      ...(this.#audit === undefined ? {} : { beside: this.#audit }),
      ...(addon === undefined ? {} : { account: syslog((path, bytes) => addon.sendDatagram(path, bytes), ident) }),
      ...(account === undefined ? {} : { account }),
      ...(system === undefined ? {} : { system }),
    });
    return this.#log;
  }

  async begin(log: ProcessLog, frozen: boolean): Promise<void> {
    const { addon, composition, activated, keeper, process, ready, notify, isService = false } = this.#options;
    const settings = this.#settings;
    log.debug(() => `Concierge ${version} (compatible with QEMU Guest Agent ${compatibleWith}) started`);
    // Whoever sends it to a keeper means a log file or the policy, and the keeper goes on whether there is one or not.
    const heeded = settings.logfile !== undefined || settings.audit !== undefined || keeper !== undefined || isService || this.#hasPolicyFiles(log);
    const watch = watchForEnding(process, heeded ? () => this.#hangUp(log) : undefined);
    this.#watch = watch;
    // The socket of a listening channel and everything later is private, as qemu-ga has it in daemon mode.
    if (settings.daemon) process.umask(0o077);
    if (frozen) void this.#store.thawed.then(() => log.release());
    let channel: string | undefined;
    const further = new Map<string, string>();
    let told = (): void => undefined;
    const channelIs = (state: string): void => {
      channel = state;
      told();
    };
    const furtherChannelIs = (name: string, state: string): void => {
      further.set(name, state);
      told();
    };
    if (keeper?.reason.startsWith('died') === true) log.warning(() => `the agent before this one has ended unexpectedly: ${keeper.reason}`);
    const parts = await composition.createAgent({
      settings,
      log,
      stateStore: this.#store,
      ...(this.#audit === undefined ? {} : { audit: this.#audit }),
      activated,
      channelIs,
      furtherChannelIs,
      ...(keeper === undefined ? {} : { kept: keeper, keeper: this.#asPort(keeper) }),
    });
    this.#parts = parts;
    makeThreadPool();
    if (process.pid === 1) addon?.reapOrphans();
    await keeper?.settle(new Map([['', parts.transport.description], ...(parts.further ?? []).map(({ name, transport }) => [name, transport.description] as const)]));
    await parts.transport.open((connection) => parts.agent.serve(connection));
    // One that hangs in its opening keeps no host of another waiting.
    await within(openingMs, Promise.all((parts.further ?? []).map(({ name, transport }) => transport.open((connection) => parts.agent.serve(connection, name)))));
    keeper?.dropRest();
    void keeper?.lost.then(() => watch.end({ kind: 'orphaned' }));
    parts.agent.ready?.();
    const lost = (error: unknown): void => watch.end({ kind: 'lost', reason: messageOf(error) });
    parts.transport.lost.then(lost, lost);
    // A service of Windows has no pid file and no controlling terminal to leave.
    if (settings.daemon && process.platform !== 'win32') this.#settleDown(log, frozen);
    const status = (): string =>
      oneLine([channel ?? `Serving ${parts.transport.description}`, ...Array.from(further, ([name, state]) => `${name}: ${state}`)].join('; '));
    log.debug(() => status().replace(/^[SW]/, (initial) => initial.toLowerCase()));
    notify(`READY=1\nSTATUS=${status()}`);
    told = () => notify(`STATUS=${status()}`);
    ready();
  }

  #hasPolicyFiles(log: ProcessLog): boolean {
    try {
      return hasPolicyFiles(this.#settings);
    } catch (error) {
      log.debug(() => messageOf(error));
      return true;
    }
  }

  /** Logs are opened anew, and the policy is read again. */
  #hangUp(log: ProcessLog): void {
    log.reopen();
    const problem = this.#audit?.reopen();
    if (problem !== undefined) log.error(problem);
    this.#reloading = this.#reloading.then(() => this.#reloadPolicy(log));
  }

  async #reloadPolicy(log: ProcessLog): Promise<void> {
    const agent = this.#parts?.agent;
    if (agent?.usePolicy === undefined) return;
    if (agent.freeze?.isFrozen === true) {
      log.warning('the policy is not read again while file systems are frozen: send SIGHUP after the thaw');
      return;
    }
    try {
      const { rules, files, warnings } = await this.#options.composition.loadPolicy(this.#settings);
      for (const line of warnings) log.warning(line);
      agent.usePolicy(rules);
      log.info(() => `the policy is in force anew: ${rules.rules.length} rules, ${files.length} files`);
    } catch (error) {
      for (const line of messageOf(error).split('\n')) log.error(line);
      log.error('the policy that was in force stays in force');
    }
  }

  #asPort(keeper: KeeperSide): Keeper {
    const legacy = keeper.recall('legacy');
    return {
      ...(legacy === undefined ? {} : { legacy }),
      sleep: (text) => this.#sleep(keeper, text),
      get isEnding() {
        return keeper.isEnding;
      },
      onRenewal: (listener) => keeper.onRenewal(listener),
    };
  }

  /** From the first step on that counts nothing is read any more, and from the last one another agent may be there. */
  #sleep(keeper: KeeperSide, legacy: string): boolean {
    const transports = this.#transports();
    if (!keeper.canSleep || !transports.every((transport) => transport.canHandOver?.() === true)) return false;
    for (const transport of transports) transport.handOver?.();
    this.#store.close();
    keeper.remember('legacy', legacy);
    keeper.notify(`STATUS=${oneLine(`Asleep; serving ${transports.map(({ description }) => description).join(', ')}`)}`);
    keeper.sleep();
    this.#watch?.end({ kind: 'asleep' });
    return true;
  }

  /** What is left of becoming a daemon once the channel is open. */
  #settleDown(log: ProcessLog, frozen: boolean): void {
    const { addon, process } = this.#options;
    const create = (): void => {
      this.#pidFile = createPidFile(this.#settings.pidfile, addon === undefined ? undefined : (fd) => addon.lockFile(fd));
    };
    if (frozen) {
      // The pid file may lie on what is frozen: it has to wait for the thaw, as in qemu-ga.
      void this.#store.thawed.then(create).catch((error: unknown) => log.error(String(error)));
    } else {
      create();
    }
    process.chdir('/');
  }

  /** Waits for the end and carries it out. */
  async finish(): Promise<RunResult> {
    const ending = (await this.#watch?.ending) ?? { kind: 'fatal', reason: 'not begun' };
    await this.end(ending);
    if (ending.kind === 'killed') return { signal: ending.signal };
    return { status: ending.kind === 'asked' || ending.kind === 'asleep' ? 0 : 1 };
  }

  /** Thaws, then gives everything back. Nothing here stops the rest. */
  async end(ending: Ending | { readonly kind: 'unfit'; readonly reason: string }): Promise<void> {
    const log = this.#log;
    if (ending.kind === 'asleep') {
      log?.debug('asleep');
      if (log !== undefined) await within(lastLinesMs, Promise.all([log.flush(), this.#audit?.flush()]));
      this.#watch?.stop();
      return;
    }
    if (ending.kind === 'orphaned') log?.error('the keeper has ended, and this agent with it');
    if (ending.kind === 'fatal') log?.error(() => ending.reason);
    // The caller says it on standard error; a log file is where it is looked for later.
    if (ending.kind === 'unfit' && this.#settings.logfile !== undefined) log?.error(() => ending.reason);
    if (ending.kind === 'lost') log?.error(() => `the channel is lost: ${ending.reason} (with --retry-path the agent would wait for it)`);
    if (this.#parts !== undefined) this.#options.notify('STOPPING=1');
    await this.#attempt('failed to clean up frozen filesystems', () => this.#parts?.agent.stop());
    for (const transport of this.#transports()) await this.#attempt('failed to close the channel', () => transport.close());
    log?.debug(() => `ending: ${describe(ending)}`);
    await this.#attempt('failed to remove the pid file', () => this.#pidFile?.remove());
    this.#store.close();
    // Of no use to try again: whoever started the keeper decides.
    if (ending.kind === 'lost') this.#options.keeper?.end();
    log?.release();
    if (log !== undefined) await within(lastLinesMs, Promise.all([log.flush(), this.#audit?.flush()]));
    this.#watch?.stop();
  }

  #transports(): readonly Transport[] {
    const { transport, further = [] } = this.#parts ?? {};
    return [...(transport === undefined ? [] : [transport]), ...further.map((one) => one.transport)];
  }

  async #attempt(what: string, work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log?.error(() => `${what}: ${messageOf(error)}`);
    }
  }
}

const describe = (ending: Ending | { readonly kind: 'unfit'; readonly reason: string }): string => {
  if ('signal' in ending) return ending.signal;
  return 'reason' in ending ? ending.reason : ending.kind;
};

/** A daemon's working directory changes when it is ready, and its files stay where they were meant. */
const absolute = (settings: Settings): Settings => ({
  ...settings,
  statedir: resolve(settings.statedir),
  pidfile: resolve(settings.pidfile),
  logfile: settings.logfile === undefined ? undefined : resolve(settings.logfile),
  audit: settings.audit === undefined || settings.audit === 'journald' ? settings.audit : resolve(settings.audit),
  // Left as it is where it can be: a socket's path must not be longer than 107 bytes.
  path: absolutePath(settings, settings),
  channels: settings.channels.map((channel) => ({ ...channel, path: absolutePath(channel, settings) })),
});

const absolutePath = ({ method, path }: Pick<Settings, 'method' | 'path'>, { daemon }: Settings): string | undefined =>
  (daemon && path !== undefined && method !== 'vsock-listen' ? resolve(path) : path);

/** A path may have a newline in it, and each line to the service manager is an order of its own. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n]/g, ' ');

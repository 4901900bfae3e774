// SPDX-License-Identifier: Apache-2.0
import type { CommandContext, CommandHandler } from './commands/command.ts';
import { Dispatcher } from './dispatch.ts';
import type { FreezeController } from './freeze/controller.ts';
import { GenerationController, type GenerationSettings } from './generation/controller.ts';
import { AutoOnline, type AutoOnlineSettings } from './hotplug/auto-online.ts';
import { readLegacy, writeLegacy } from './legacy.ts';
import { Policy, type PolicyLists, type PolicyRules } from './policy/policy.ts';
import type { Audit, Backend, Connection, Keeper, Log, StateStore } from './ports/index.ts';
import { InputBudget } from './protocol/input-budget.ts';
import { Session, type SessionOwner } from './session.ts';
import { Sleep } from './sleep.ts';
import { FileHandleTable } from './state/file-handles.ts';
import { ProcessTable } from './state/processes.ts';
import { readLeft } from './state/program-stand.ts';
import { ProgramTable } from './state/programs.ts';

export interface AgentOptions {
  readonly backend: Backend;
  readonly handlers: readonly CommandHandler[];
  readonly freeze: FreezeController | undefined;
  readonly log: Log;
  readonly stateStore: StateStore;
  readonly lists: PolicyLists;
  /** Rules behind the lists. */
  readonly policy?: PolicyRules;
  /** Who is told what hosts made the guest do. */
  readonly audit?: Audit;
  /** By which channel hosts come, for the rules that name one. */
  readonly channel?: string;
  /** Further channels. */
  readonly channels?: readonly FurtherChannel[];
  /** Mode of a file that guest-file-open creates; 0644 where absent. */
  readonly fileMode?: number;
  /** How far the wall clock may be off after a restore; by a second where absent. */
  readonly generationSettings?: GenerationSettings;
  /** What is brought on line when it is added; nothing where absent. */
  readonly autoOnline?: AutoOnlineSettings;
  /** What guest-info reports as `version`. */
  readonly version: string;
  /** What outlives the agent, and how long nothing must have been asked for before it goes to sleep, in milliseconds; absent: it never does, or only to be renewed. */
  readonly sleep?: { readonly keeper: Keeper; readonly afterMs?: number };
}

export interface FurtherChannel {
  /** Its own among all channels. */
  readonly name: string;
  /** Whose files and programs its hosts can name: their own, or those of the first channel. */
  readonly handles: 'own' | 'shared';
}

/** What the hosts of one channel share. */
interface Served {
  readonly context: CommandContext;
  readonly budget: InputBudget;
}

/** One agent: the commands of this machine, what they share, and everybody who talks to it. */
export class Agent {
  readonly dispatcher: Dispatcher;
  readonly freeze: FreezeController | undefined;
  readonly #main: Served;
  readonly #further: ReadonlyMap<string, Served>;
  /** Programs of channels that are no more, which go on, and whose results nobody can ask for. */
  readonly #nobodys: ProcessTable;
  readonly #lists: PolicyLists;
  readonly #sessions = new Set<Session>();
  readonly #generation: GenerationController;
  readonly #autoOnline: AutoOnline;
  readonly #sleep: Sleep | undefined;
  readonly #keeper: Keeper | undefined;
  /** Another agent is to follow as soon as this one is quiet. */
  #isRenewing = false;
  readonly #owner: SessionOwner = {
    ended: (session) => void this.#sessions.delete(session),
    stirred: () => this.#sleep?.stir(),
    hostCame: () => this.#generation.hostCame(),
    requestCame: (isFirst) => this.#generation.requestCame(isFirst),
    settling: () => this.#generation.settling,
    isHurried: () => this.#isRenewing,
  };

  constructor({ backend, handlers, freeze, log, stateStore, lists, policy: rules, channel = '', channels = [], audit, version, fileMode, generationSettings, autoOnline, sleep }: AgentOptions) {
    const policy = new Policy(lists, rules);
    this.#lists = lists;
    this.freeze = freeze;
    this.dispatcher = new Dispatcher({ version, backend, handlers, policy, log, freeze, ...(audit !== undefined && { audit }) });
    this.#autoOnline = new AutoOnline(backend, log, autoOnline ?? { processors: false, memory: false, movable: false });
    this.#generation = new GenerationController({
      backend, log, freeze,
      settings: generationSettings ?? { limitMs: 1000 },
      dropConnections: () => this.#dropConnections(),
      stirred: () => this.#sleep?.stir(),
    });
    const settled = (): void => this.#sleep?.stir();
    const tables = (owner?: string): Pick<CommandContext, 'files' | 'processes' | 'programs'> => ({
      files: new FileHandleTable(backend.fileSystem?.files, stateStore, fileMode, owner),
      processes: new ProcessTable(backend.processes, backend.clock, settled, owner),
      programs: new ProgramTable(backend.clock, settled, owner),
    });
    const common = { backend, freeze, generation: this.#generation, log, catalog: this.dispatcher };
    const own = tables();
    this.#main = served({ ...common, channel, ...own });
    this.#further = new Map(channels.map(({ name, handles }) => [name, served({ ...common, channel: name, ...(handles === 'shared' ? own : tables(name)) })]));
    this.#nobodys = new ProcessTable(backend.processes, backend.clock, settled);
    this.#takeOver(backend);
    this.#keeper = sleep?.keeper;
    if (sleep !== undefined) {
      this.#sleep = new Sleep({
        clock: backend.clock,
        afterMs: sleep.afterMs,
        isQuiet: () => this.isQuiet,
        fallAsleep: () => this.#fallAsleep(sleep.keeper),
      });
      freeze?.onQuiet(() => this.#sleep?.stir());
      sleep.keeper.onRenewal?.(() => this.#makeRoom());
      this.#inherit(sleep.keeper.legacy);
    }
    const known = new Set(handlers.map(({ schema }) => schema.name));
    for (const name of policy.unknownNames(known)) log.warning(`no command is named '${name}': check block-rpcs and allow-rpcs`);
  }

  /** What an earlier agent has left belongs to those whose it was, and to nobody else. */
  #takeOver({ fileSystem, processes }: Backend): void {
    const of = (owner = ''): CommandContext | undefined => (owner === '' ? this.#main : this.#further.get(owner))?.context;
    for (const left of fileSystem?.files?.left?.() ?? []) {
      const context = of(left.owner);
      if (context === undefined) void Promise.allSettled([left.file.close()]);
      else context.files.takeOver(left);
    }
    for (const process of processes?.left?.() ?? []) {
      const context = of(process.owner);
      (context?.processes ?? this.#nobodys).takeOver(process);
      if (context === undefined) void process.finished.then(() => process.forget?.());
    }
    for (const left of processes?.interactive?.left?.() ?? []) {
      const program = readLeft(left);
      const programs = of(program?.owner)?.programs;
      if (program === undefined || programs === undefined) left.drop();
      else programs.takeOver(left, program);
    }
  }

  /** For the next agent, which is as good as this one. */
  #makeRoom(): void {
    this.#isRenewing = true;
    for (const session of this.#sessions) session.hurry();
    this.#sleep?.hurry();
  }

  /** Puts other rules in force behind the lists. What has been judged goes on. */
  usePolicy(rules: PolicyRules): void {
    this.dispatcher.usePolicy(new Policy(this.#lists, rules));
  }

  /** Converses with a host until it goes. Without a name of one of the further channels it has come by the first. */
  serve(connection: Connection, channel?: string): void {
    const { context, budget } = (channel === undefined ? undefined : this.#further.get(channel)) ?? this.#main;
    const session = new Session(connection, this.dispatcher, context, budget, this.#owner);
    this.#sessions.add(session);
    session.start();
  }

  /** The channel is open: from now on it may go to sleep. */
  ready(): void {
    for (const { programs } of this.#contexts) programs.hangUpLeft();
    this.#sleep?.stir();
    void this.#generation.begin();
    void this.#autoOnline.begin();
  }

  /** Whether it could end now without anybody missing anything: nothing is half said, open, frozen or remembered. */
  get isQuiet(): boolean {
    const isSilent = [...this.#sessions].every(({ isQuiet }) => isQuiet);
    return isSilent && this.#generation.isQuiet && this.#autoOnline.isQuiet && this.underWay === 0 && this.#nobodys.isQuiet && this.#contexts.every((context) => this.#isIdle(context)) && this.freeze?.isQuiet !== false;
  }

  #isIdle({ files, processes, programs }: CommandContext): boolean {
    return files.size === 0 && (this.#isRenewing ? programs.canHandOver : programs.isQuiet) && processes.isQuiet;
  }

  /** Requests that have not been answered, those of hosts that have left among them. */
  get underWay(): number {
    return this.#contexts.reduce((sum, { load }) => sum + load.underWay, 0);
  }

  get #contexts(): readonly CommandContext[] {
    return [this.#main, ...this.#further.values()].map(({ context }) => context);
  }

  #legacy(): string {
    return writeLegacy({ freezeReport: this.freeze?.legacy, generation: this.#generation.legacy });
  }

  /** What is announced from now on is for the next agent to hear. */
  #fallAsleep(keeper: Keeper): boolean {
    const asleep = keeper.sleep(this.#legacy());
    if (asleep) this.#stopListening();
    return asleep;
  }

  #stopListening(): void {
    this.#generation.stop();
    this.#autoOnline.stop();
  }

  /** Those whose hosts are gone with another generation. */
  #dropConnections(): number {
    const gone = [...this.#sessions].filter(({ endsWithGeneration }) => endsWithGeneration);
    for (const session of gone) session.close();
    return gone.length;
  }

  #inherit(text: string | undefined): void {
    if (text === undefined) return;
    const { freezeReport, generation } = readLegacy(text);
    if (freezeReport !== undefined) this.freeze?.inherit(freezeReport);
    this.#generation.inherit(generation);
  }

  /** Nothing stays frozen, open or half-said. Called once, before the process ends. */
  async stop(): Promise<void> {
    this.#sleep?.stop();
    this.#stopListening();
    await this.freeze?.thawBeforeExit();
    for (const session of this.#sessions) session.close();
    const isLast = this.#keeper?.isEnding !== false;
    for (const { programs } of this.#contexts) programs.stop(isLast);
    await Promise.all([...new Set(this.#contexts.map(({ files }) => files))].map((files) => files.closeAll()));
  }
}

const served = (context: Omit<CommandContext, 'load'>): Served => ({ context: { ...context, load: { underWay: 0 } }, budget: new InputBudget() });

import type { CommandContext, CommandHandler } from './commands/command.ts';
import { Dispatcher } from './dispatch.ts';
import type { FreezeController } from './freeze/controller.ts';
import { Policy, type PolicyLists } from './policy/policy.ts';
import type { Backend, Connection, Log, StateStore } from './ports/index.ts';
import { InputBudget } from './protocol/input-budget.ts';
import { Session } from './session.ts';
import { FileHandleTable } from './state/file-handles.ts';
import { ProcessTable } from './state/processes.ts';

export interface AgentOptions {
  readonly backend: Backend;
  readonly handlers: readonly CommandHandler[];
  readonly freeze: FreezeController | undefined;
  readonly log: Log;
  readonly stateStore: StateStore;
  readonly lists: PolicyLists;
  /** Mode of a file that guest-file-open creates; 0644 where absent. */
  readonly fileMode?: number;
  /** What guest-info reports as `version`. */
  readonly version: string;
}

/** One agent: the commands of this machine, what they share, and everybody who talks to it. */
export class Agent {
  readonly dispatcher: Dispatcher;
  readonly freeze: FreezeController | undefined;
  readonly #context: CommandContext;
  readonly #sessions = new Set<Session>();
  readonly #budget = new InputBudget();

  constructor({ backend, handlers, freeze, log, stateStore, lists, version, fileMode }: AgentOptions) {
    const policy = new Policy(lists);
    this.freeze = freeze;
    this.dispatcher = new Dispatcher({ version, backend, handlers, policy, log, freeze });
    this.#context = {
      backend,
      freeze,
      log,
      files: new FileHandleTable(backend.fileSystem?.files, stateStore, fileMode),
      processes: new ProcessTable(backend.processes, backend.clock),
      catalog: this.dispatcher,
    };
    const known = new Set(handlers.map(({ schema }) => schema.name));
    for (const name of policy.unknownNames(known)) log.warning(`no command is named '${name}': check block-rpcs and allow-rpcs`);
  }

  /** Converses with a host until it goes. */
  serve(connection: Connection): void {
    const session = new Session(connection, this.dispatcher, this.#context, this.#budget, (ended) => this.#sessions.delete(ended));
    this.#sessions.add(session);
    session.start();
  }

  /** Nothing stays frozen, open or half-said. Called once, before the process ends. */
  async stop(): Promise<void> {
    await this.freeze?.thawBeforeExit();
    for (const session of this.#sessions) session.close();
    await this.#context.files.closeAll();
  }
}

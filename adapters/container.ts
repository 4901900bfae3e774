import 'reflect-metadata/lite';
import { Container, ContainerModule } from 'inversify';
import { Agent } from '../core/agent.ts';
import { handlers } from '../core/commands/index.ts';
import { FreezeController } from '../core/freeze/controller.ts';
import type * as ports from '../core/ports/index.ts';
import { backendModule } from './backend-module.ts';
import { loadBackendFor } from './backends.ts';
import { compatibleWith, version } from './config/product.ts';
import type { Settings } from './config/settings.ts';
import { createTransport, type ActivatedSocket } from './transport/index.ts';
import * as tokens from './tokens.ts';

/** What the process has made before the agent exists: they are needed to say why it does not come to exist. */
export interface Edges {
  readonly log: ports.Log;
  readonly stateStore: ports.StateStore;
  /** A listening socket that the service manager handed over. */
  readonly activated?: ActivatedSocket;
}

/** Everything that the process drives. */
export interface Composition {
  readonly agent: Agent;
  readonly transport: ports.Transport;
  /** Absent where the backend cannot freeze. */
  readonly freeze: FreezeController | undefined;
}

const optional = <T>(serviceIdentifier: T): { serviceIdentifier: T; optional: true } => ({ serviceIdentifier, optional: true });

/** The core: plain classes, which know nothing of the container. */
const coreModule = (settings: Settings): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(tokens.Backend)
      .toResolvedValue(
        (clock, fileSystem, power, network, processes, accounts, processors, memory, host, hooks) =>
          // An unbound port is absent, not undefined: that is how a command finds out that it does not exist.
          Object.fromEntries(
            Object.entries({ clock, fileSystem, power, network, processes, accounts, processors, memory, host, hooks }).filter(([, port]) => port !== undefined),
          ) as unknown as ports.Backend,
        [
          tokens.Clock,
          optional(tokens.FileSystem),
          optional(tokens.Power),
          optional(tokens.Network),
          optional(tokens.Processes),
          optional(tokens.Accounts),
          optional(tokens.Processors),
          optional(tokens.Memory),
          optional(tokens.Host),
          optional(tokens.Hooks),
        ],
      )
      .inSingletonScope();

    bind(tokens.Freeze)
      .toResolvedValue(
        (backend: ports.Backend, stateStore: ports.StateStore, log: ports.Log): tokens.Freeze => {
          const freezing = backend.fileSystem?.freezing;
          if (freezing === undefined) return { controller: undefined };
          return {
            controller: new FreezeController({
              freezing,
              hooks: backend.hooks,
              stateStore,
              log,
              clock: backend.clock,
              settings: {
                deadlineMs: settings.freezeTimeout * 1000,
                withinMs: settings.freezeWithin * 1000,
                excluded: settings.fsfreezeExclude,
                unknownMountPoints: settings.freezeListUnknown === 'ignore' ? 'ignore' : 'error',
              },
            }),
          };
        },
        [tokens.Backend, tokens.StateStore, tokens.Log],
      )
      .inSingletonScope();

    bind(tokens.Agent)
      .toResolvedValue(
        (backend: ports.Backend, { controller }: tokens.Freeze, stateStore: ports.StateStore, log: ports.Log) =>
          new Agent({
            backend,
            handlers,
            freeze: controller,
            stateStore,
            log,
            lists: { allow: settings.allowRpcs, block: settings.blockRpcs },
            version: `${compatibleWith}.0+concierge.${version}`,
          }),
        [tokens.Backend, tokens.Freeze, tokens.StateStore, tokens.Log],
      )
      .inSingletonScope();
  });

const edgesModule = ({ log, stateStore }: Edges, transport: ports.Transport): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(tokens.Log).toConstantValue(log);
    bind(tokens.StateStore).toConstantValue(stateStore);
    bind(tokens.Transport).toConstantValue(transport);
  });

/**
 * Puts an agent together, not yet reachable: `transport.open` begins to serve. The composition root, and the only place
 * that asks the container for anything.
 *
 * @throws AgentError one sentence that says what to do: no such backend, an unusable channel
 */
export async function compose(settings: Settings, edges: Edges): Promise<Composition> {
  const backend = await loadBackendFor(settings);
  const transport = await createTransport({
    method: settings.method,
    ...(settings.path === undefined ? {} : { path: settings.path }),
    retry: settings.retryPath,
    ...(edges.activated === undefined ? {} : { activated: edges.activated }),
    log: edges.log,
  });
  const container = new Container();
  container.load(backendModule(backend), coreModule(settings), edgesModule(edges, transport));
  return {
    agent: container.get(tokens.Agent),
    transport: container.get(tokens.Transport),
    freeze: container.get(tokens.Freeze).controller,
  };
}

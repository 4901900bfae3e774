import 'reflect-metadata/lite';
import { Container, ContainerModule } from 'inversify';
import { Agent } from '../core/agent.ts';
import { handlers } from '../core/commands/index.ts';
import { FreezeController } from '../core/freeze/controller.ts';
import type * as ports from '../core/ports/index.ts';
import { backendModule } from './backend-module.ts';
import { channelsHere, createBackend } from './backends.ts';
import type { AgentContext, AgentParts } from './cli/composition.ts';
import { compatibleWith, version } from './config/product.ts';
import type { Settings } from './config/settings.ts';
import { activatedTransport, createTransport } from './channels/index.ts';
import { joinedChannels } from './channels/joined-channels.ts';
import * as tokens from './tokens.ts';

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
        (backend: ports.Backend, stateStore: ports.StateStore, log: ports.Log): tokens.Freeze => ({
          controller: FreezeController.on(backend, {
            stateStore,
            log,
            settings: {
              deadlineMs: settings.freezeTimeout * 1000,
              withinMs: settings.freezeWithin * 1000,
              excluded: settings.fsfreezeExclude,
              unknownMountPoints: settings.freezeListUnknown === 'ignore' ? 'ignore' : 'error',
            },
          }),
        }),
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

const edgesModule = ({ log, stateStore }: AgentContext, transport: ports.Transport): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(tokens.Log).toConstantValue(log);
    bind(tokens.StateStore).toConstantValue(stateStore);
    bind(tokens.Transport).toConstantValue(transport);
  });

/**
 * Puts an agent together, not yet reachable: `transport.open` begins to serve. The composition root, and the only place
 * that asks the container for anything. What an earlier agent left frozen is taken over.
 *
 * @throws AgentError one sentence that says what to do: no such backend, an unusable channel
 */
export async function createAgent(context: AgentContext): Promise<AgentParts> {
  const { settings, log, activated } = context;
  const partsOn = async (backend: ports.Backend, transport: ports.Transport): Promise<AgentParts> => {
    const container = new Container();
    container.load(backendModule(backend), coreModule(settings), edgesModule(context, transport));
    await container.get(tokens.Freeze).controller?.recoverAtStart();
    return { agent: container.get(tokens.Agent), transport: container.get(tokens.Transport) };
  };
  const transportOn = async (backend?: ports.Backend): Promise<ports.Transport> => {
    if (activated !== undefined) return activatedTransport(activated, log);
    return createTransport(await channelsOf(backend), {
      method: settings.method,
      ...(settings.path === undefined ? {} : { path: settings.path }),
      retry: settings.retryPath,
      ...(settings.vsockAllow.length === 0 ? {} : { vsockAllow: settings.vsockAllow.map(Number) }),
      log,
      ...(context.channelIs === undefined ? {} : { channelIs: context.channelIs }),
    });
  };
  if (settings.scenario === undefined) {
    const backend = await createBackend(settings);
    return partsOn(backend, await transportOn(backend));
  }
  const transport = await transportOn();
  const { scenarioAgent } = await import('./scenario.ts');
  return { agent: await scenarioAgent(settings, async (backend) => (await partsOn(backend, transport)).agent), transport };
}

/** The channels of the backend, and those of the system that the agent runs on. */
export async function channelsOf(backend?: ports.Backend): Promise<ports.Channels> {
  const system = await channelsHere();
  return backend?.channels === undefined ? system : joinedChannels(backend.channels, system);
}

export { createBackend };

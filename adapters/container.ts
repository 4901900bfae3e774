// SPDX-License-Identifier: Apache-2.0
import 'reflect-metadata/lite';
import { Container, ContainerModule } from 'inversify';
import { messageOf } from '../core/errors/agent-error.ts';
import type { PolicyRules } from '../core/policy/policy.ts';
import { unusablePolicy } from '../core/policy/profiles.ts';
import { composeAgent } from '../core/compose-agent.ts';
import type * as ports from '../core/ports/index.ts';
import { channelsHere, createBackend } from './backends.ts';
import type { AgentContext, AgentParts, FurtherTransport } from './cli/composition.ts';
import { compatibleWith, version } from './config/product.ts';
import type { Settings } from './config/settings.ts';
import { activatedTransport, createTransport } from './channels/index.ts';
import { joinedChannels } from './channels/joined-channels.ts';
import { keptOfChannel } from './channels/kept-of-channel.ts';
import { loadPolicy } from './policy/load-policy.ts';
import * as tokens from './tokens.ts';

/** The core: plain classes, which know nothing of the container. */
const coreModule = (settings: Settings, policy: PolicyRules, keeper: ports.Keeper | undefined, audit: ports.Audit | undefined): ContainerModule =>
  new ContainerModule(({ bind }) => {
    bind(tokens.Agent)
      .toResolvedValue(
        (backend: ports.Backend, stateStore: ports.StateStore, log: ports.Log) =>
          composeAgent({
            backend,
            stateStore,
            log,
            freezeSettings: {
              deadlineMs: settings.freezeTimeout * 1000,
              withinMs: settings.freezeWithin * 1000,
              excluded: settings.fsfreezeExclude,
              unknownMountPoints: settings.freezeListUnknown === 'ignore' ? 'ignore' : 'error',
            },
            autoOnline: {
              processors: settings.autoOnline === 'processors' || settings.autoOnline === 'all',
              memory: settings.autoOnline === 'memory' || settings.autoOnline === 'all',
              movable: settings.autoOnlineZone === 'movable',
            },
            generationSettings: { limitMs: settings.clockStepLimit * 1000 },
            fileMode: Number.parseInt(settings.fileMode, 8),
            lists: { allow: settings.allowRpcs, block: settings.blockRpcs },
            policy,
            channel: settings.method,
            channels: settings.channels,
            ...(audit !== undefined && { audit }),
            version: `${compatibleWith}.0+concierge.${version}`,
            ...(keeper === undefined ? {} : { sleep: { keeper, ...(settings.sleepAfter === 0 ? {} : { afterMs: settings.sleepAfter * 1000 }) } }),
          }),
        [tokens.Backend, tokens.StateStore, tokens.Log],
      )
      .inSingletonScope();
  });

/** The chosen backend: a port that it lacks is absent, so that the commands which need it do not exist. */
const backendModule = (backend: ports.Backend): ContainerModule => new ContainerModule(({ bind }) => void bind(tokens.Backend).toConstantValue(backend));

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
  // A guest in memory is gone with its agent.
  const keeper = settings.backend === 'fake' ? undefined : context.keeper;
  const { kept } = context;
  const policy = await policyAtStart(settings, log);
  const partsOn = async (backend: ports.Backend, transport: ports.Transport): Promise<AgentParts> => {
    for (const line of unheld(policy, backend)) log.warning(line);
    const container = new Container();
    container.load(backendModule(backend), coreModule(settings, policy, keeper, context.audit), edgesModule(context, transport));
    const agent = container.get(tokens.Agent);
    await agent.freeze?.recoverAtStart();
    return { agent, transport: container.get(tokens.Transport) };
  };
  const transportOn = async (backend?: ports.Backend): Promise<ports.Transport> => {
    if (activated !== undefined) return activatedTransport(activated, log, kept);
    return createTransport(await channelsOf(backend), {
      method: settings.method,
      ...(settings.path === undefined ? {} : { path: settings.path }),
      retry: settings.retryPath,
      ...(settings.vsockAllow.length === 0 ? {} : { vsockAllow: settings.vsockAllow.map(Number) }),
      log,
      kept,
      ...(context.channelIs === undefined ? {} : { channelIs: context.channelIs }),
    });
  };
  if (settings.scenario === undefined) {
    const backend = await createBackend(settings, kept);
    return { ...(await partsOn(backend, await transportOn(backend))), further: await furtherChannels(await channelsOf(backend), context) };
  }
  const transport = await transportOn();
  const { scenarioAgent } = await import('./scenario.ts');
  const agent = await scenarioAgent(settings, async (backend) => (await partsOn(backend, transport)).agent);
  return { agent, transport, further: await furtherChannels(await channelsOf(), context) };
}

/** Each is waited for by itself, whatever the first one does: none of them is worth an end of the agent. */
async function furtherChannels(channels: ports.Channels, { settings, log, kept, furtherChannelIs }: AgentContext): Promise<readonly FurtherTransport[]> {
  return Promise.all(settings.channels.map(async ({ name, method, path, vsockAllow }) => ({
    name,
    transport: await createTransport(channels, {
      method,
      ...(path === undefined ? {} : { path }),
      retry: true,
      ...(vsockAllow.length === 0 ? {} : { vsockAllow: vsockAllow.map(Number) }),
      log,
      kept: kept && keptOfChannel(kept, name),
      ...(furtherChannelIs === undefined ? {} : { channelIs: (state: string) => furtherChannelIs(name, state) }),
    }),
  })));
}

/** Conditions that this system cannot look at: what they would decide on is refused. */
function unheld({ rules }: PolicyRules, { fileSystem, processes, accounts }: ports.Backend): readonly string[] {
  return [
    ...(accounts?.groups === undefined && rules.some(({ when }) => when?.userGroups !== undefined)
      ? ['rules of the policy are about groups of users, and this system cannot tell who is in which: what they would decide on is refused']
      : []),
    ...(fileSystem?.files !== undefined && fileSystem.files.openAdmitted === undefined && rules.some(({ when }) => when?.files !== undefined)
      ? ['rules of the policy are about files, and this system cannot tell where a file really lies: what they would decide on is refused']
      : []),
    ...(processes !== undefined && processes.locate === undefined && rules.some(({ when }) => when?.programs !== undefined)
      ? ['rules of the policy are about programs, and this system cannot tell which one would run: what they would decide on is refused']
      : []),
  ];
}

/** One that cannot be used must neither open what it would have closed, nor keep a host from thawing what is frozen. */
async function policyAtStart(settings: Settings, log: ports.Log): Promise<PolicyRules> {
  try {
    const { rules, warnings } = await loadPolicy(settings);
    for (const line of warnings) log.warning(line);
    return rules;
  } catch (error) {
    for (const line of messageOf(error).split('\n')) log.error(line);
    log.error('the policy cannot be used: only what a host needs for a thaw is answered. Mend it and send SIGHUP, or start the agent anew');
    return unusablePolicy;
  }
}

/** The channels of the backend, and those of the system that the agent runs on. */
export async function channelsOf(backend?: ports.Backend): Promise<ports.Channels> {
  const system = await channelsHere();
  return backend?.channels === undefined ? system : joinedChannels(backend.channels, system);
}

export { createBackend, loadPolicy };

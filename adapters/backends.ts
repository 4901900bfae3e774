// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../core/errors/agent-error.ts';
import { closestName } from '../core/errors/closest-name.ts';
import type { Backend, Channels, KeptDescriptors } from '../core/ports/index.ts';
import type { Settings } from './config/settings.ts';

/** What a backend is told of the configuration. */
export interface BackendContext {
  readonly settings: Settings;
  /** What outlives the agent, where anything does. */
  readonly kept?: KeptDescriptors | undefined;
}

interface BuiltIn {
  readonly id: string;
  /** It drives the system that the agent runs on, which has to be the right one. */
  readonly system?: true;
  detects(): boolean;
  load(context: BackendContext): Promise<Backend>;
  /** The channels of the system, for every backend that brings none of its own. */
  channels?(): Promise<Channels>;
}

/** The backends of this package. Only the chosen one is imported. */
export const builtInBackends: readonly BuiltIn[] = [
  {
    id: 'linux',
    system: true,
    detects: () => process.platform === 'linux',
    async load({ settings, kept }) {
      const { linuxBackend } = await import('./linux/module.ts');
      const { linuxHooks } = await import('./linux/programs/hooks.ts');
      return {
        ...linuxBackend({
          ...(kept === undefined ? {} : { kept }),
          generation: { directory: settings.generationDirectory, timeLimitMs: settings.hookTimeout * 1000 },
        }),
        hooks: linuxHooks({
          ...(settings.fsfreezeHook === undefined ? {} : { script: settings.fsfreezeHook }),
          directory: settings.hookDirectory,
          timeLimitMs: settings.hookTimeout * 1000,
        }),
      };
    },
    channels: async () => (await import('./linux/channels/linux-channels.ts')).linuxChannels,
  },
  {
    id: 'windows',
    system: true,
    detects: () => process.platform === 'win32',
    async load({ settings }) {
      const { windowsBackend } = await import('./windows/module.ts');
      return windowsBackend({ writers: settings.vssWriters === 'warn' ? 'warn' : 'require' });
    },
    channels: async () => (await import('./windows/module.ts')).windowsChannels,
  },
  {
    id: 'fake',
    detects: () => false,
    async load() {
      const { fakeBackend } = await import('./fake/module.ts');
      return fakeBackend();
    },
  },
];

/** The channels of the system that the agent runs on, whatever it is that the backend drives. */
export async function channelsHere(): Promise<Channels> {
  const here = builtInBackends.find((backend) => backend.detects());
  return (await here?.channels?.()) ?? (await import('./channels/portable-channels.ts')).portableChannels;
}

/**
 * The backend that the settings name (one of this package, an npm package, or a path), or else the one that fits this
 * machine.
 *
 * @throws failed error that says which there are, or why one is not loaded
 */
export async function createBackend(settings: Settings, kept?: KeptDescriptors): Promise<Backend> {
  const name = settings.backend;
  const chosen = name === undefined ? builtInBackends.find((backend) => backend.detects()) : builtInBackends.find(({ id }) => id === name);
  if (chosen?.system !== undefined && !chosen.detects()) throw AgentError.failed(`the backend ${chosen.id} does not fit this machine (${process.platform})`);
  if (chosen !== undefined) return chosen.load({ settings, kept });
  const known = builtInBackends.map(({ id }) => id).join(', ');
  if (name === undefined) throw AgentError.failed(`no backend fits ${process.platform}: name one with --backend (${known}, an npm package, or a path)`);
  const { createThirdPartyBackend } = await import('./third-party/third-party-backend.ts');
  try {
    return await createThirdPartyBackend(name, {
      stateDirectory: settings.statedir,
      ...(settings.fsfreezeHook === undefined ? {} : { hookPath: settings.fsfreezeHook }),
    });
  } catch (error) {
    // A name that is no path may be one of those, misspelt.
    if (!AgentError.is(error) || name.includes('/')) throw error;
    const meant = closestName(name, builtInBackends.map(({ id }) => id));
    throw AgentError.failed(`${error.message} (in this package are ${known}${meant === undefined ? '' : `; did you mean ${meant}?`})`, error);
  }
}

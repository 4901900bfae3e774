import { AgentError } from '../core/errors/agent-error.ts';
import type { Backend } from '../core/ports/index.ts';
import type { Settings } from './config/settings.ts';

/** What a backend is told of the configuration. */
export interface BackendContext {
  readonly settings: Settings;
}

interface BuiltIn {
  readonly id: string;
  detects(): boolean;
  load(context: BackendContext): Promise<Backend>;
}

/** The backends of this package. Only the chosen one is imported. */
export const builtInBackends: readonly BuiltIn[] = [
  {
    id: 'linux',
    detects: () => process.platform === 'linux',
    async load({ settings }) {
      const { linuxBackend } = await import('./linux/module.ts');
      const { linuxHooks } = await import('./linux/hooks.ts');
      return {
        ...linuxBackend(),
        hooks: linuxHooks({
          ...(settings.fsfreezeHook === undefined ? {} : { script: settings.fsfreezeHook }),
          directory: settings.hookDirectory,
          timeLimitMs: settings.hookTimeout * 1000,
        }),
      };
    },
  },
  {
    id: 'windows',
    detects: () => process.platform === 'win32',
    async load() {
      const { windowsBackend } = await import('./windows/module.ts');
      return windowsBackend();
    },
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

/**
 * The backend that the settings name (one of this package, an npm package, or a path), or else the one that fits this
 * machine.
 *
 * @throws failed error that says which there are, or why one is not loaded
 */
export async function createBackend(settings: Settings): Promise<Backend> {
  const name = settings.backend;
  const chosen = name === undefined ? builtInBackends.find((backend) => backend.detects()) : builtInBackends.find(({ id }) => id === name);
  if (chosen !== undefined) return chosen.load({ settings });
  const known = builtInBackends.map(({ id }) => id).join(', ');
  if (name === undefined) throw AgentError.failed(`no backend fits ${process.platform}: name one with --backend (${known}, an npm package, or a path)`);
  const { createThirdPartyBackend } = await import('./third-party/third-party-backend.ts');
  try {
    return await createThirdPartyBackend(name, {
      stateDirectory: settings.statedir,
      ...(settings.fsfreezeHook === undefined ? {} : { hookPath: settings.fsfreezeHook }),
    });
  } catch (error) {
    throw AgentError.is(error) ? AgentError.failed(`${error.message} (in this package are ${known})`, error) : error;
  }
}

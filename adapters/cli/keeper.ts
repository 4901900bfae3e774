// SPDX-License-Identifier: Apache-2.0
import { posixError } from '../../core/errors/posix-errno.ts';
import { version } from '../config/product.ts';
import { readSettings, type Request, type SettingsSource } from '../config/settings.ts';
import { earlyHangUp } from './ending.ts';
import type { KeeperSide } from '../linux/keeper/keeper-side.ts';

export type { KeeperSide } from '../linux/keeper/keeper-side.ts';

/** Set by the keeper for the agent that it starts: the descriptor on which they talk. */
const variable = 'CONCIERGE_GA_KEEPER';

/**
 * What outlives this agent; `undefined` where it was started by nobody who keeps anything. Takes the variable out of the
 * environment.
 *
 * @throws failed or os error where there should be a keeper and is none
 */
export async function keeperOf(environment: NodeJS.ProcessEnv, complain: (line: string) => void): Promise<KeeperSide | undefined> {
  const given = environment[variable];
  delete environment[variable];
  if (given === undefined || !/^\d{1,6}$/.test(given)) return undefined;
  const { KeeperSide } = await import('../linux/keeper/keeper-side.ts');
  // From the greeting on the keeper passes it on.
  process.on('SIGHUP', earlyHangUp);
  return new KeeperSide(Number(given), version, complain);
}

/** As which it outlives the agent. */
const keptName = 'configuration';

interface KeptConfiguration {
  /** Base64 of each file that was read. */
  readonly files: Readonly<Record<string, string>>;
  /** What was wrong with them when they were looked at last. */
  readonly said?: string;
}

/**
 * The settings as the configuration says, or, where that is broken and an earlier agent has understood it, as it was then:
 * an agent that was only asleep does not fail because somebody is in the middle of an edit.
 */
export function keptSettings(source: SettingsSource, keeper: KeeperSide, complain: (line: string) => void): Request {
  const files: Record<string, string> = {};
  const request = readSettings({
    ...source,
    readFile: (path) => {
      const bytes = source.readFile(path);
      files[path] = Buffer.from(bytes).toString('base64');
      return bytes;
    },
  });
  const kept = keeper.recall(keptName);
  const remember = (configuration: KeptConfiguration): void => {
    const text = JSON.stringify(configuration);
    if (text !== kept) keeper.remember(keptName, text);
  };
  if (request.kind === 'run') remember({ files });
  if (request.kind !== 'refused' || kept === undefined) return request;

  const { files: old, said } = JSON.parse(kept) as KeptConfiguration;
  const before = readSettings({
    ...source,
    readFile: (path) => {
      const text = old[path];
      if (text === undefined) throw posixError('ENOENT', { syscall: 'open', path });
      return Buffer.from(text, 'base64');
    },
  });
  if (before.kind !== 'run') return request;
  if (said !== request.reason) complain(`${request.reason}; what the configuration said before stays in force`);
  remember({ files: old, said: request.reason });
  return before;
}

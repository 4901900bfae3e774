// SPDX-License-Identifier: Apache-2.0
import { harmlessJson, harmlessLines } from '../../../core/errors/harmless-text.ts';
import type { Backend } from '../../../core/ports/index.ts';
import { capabilitiesOf } from '../../third-party/declared-capabilities.ts';
import { loadBackend } from '../../third-party/load-backend.ts';
import { builtInBackends } from '../../backends.ts';
import type { Settings } from '../../config/settings.ts';
import { thirdPartyDefinition } from '../../third-party/third-party-backend.ts';
import { commandsOf, lackingCommands, measured } from '../reference-commands.ts';
import type { SubcommandContext } from '../subcommand.ts';

interface Found {
  /** As it was asked for: a name, a package, a path. */
  readonly name: string;
  /** What the backend calls itself; absent where it could not be read. */
  readonly id?: string;
  readonly fits: boolean;
  readonly capabilities: readonly string[];
  readonly commands: readonly string[];
  /** Why it cannot be loaded here. */
  readonly problem?: string;
}

/** Loads every backend of the package, the configured one and those that are named, and tells what each can do. */
export async function run({ settings, words, flags, print }: SubcommandContext): Promise<number> {
  const named = [...words, ...(settings.backend === undefined ? [] : [settings.backend])];
  const others = [...new Set(named)].filter((name) => builtInBackends.every(({ id }) => id !== name));
  const found: Found[] = [];
  for (const backend of builtInBackends) found.push(await look(backend.id, backend.id, () => backend.detects(), () => backend.load({ settings })));
  for (const name of others) found.push(await lookAt(name, settings));
  print(flags.has('json') ? `${harmlessJson(JSON.stringify(found, undefined, 2))}\n` : harmlessLines(asText(found)));
  return words.length > 0 && found.some(({ problem, name }) => problem !== undefined && words.includes(name)) ? 1 : 0;
}

async function lookAt(name: string, settings: Settings): Promise<Found> {
  try {
    const definition = thirdPartyDefinition(name);
    return await look(name, definition.id, () => definition.detects(), () => loadBackend(definition, { stateDirectory: settings.statedir }));
  } catch (error) {
    return { name, fits: false, capabilities: [], commands: [], problem: messageOf(error) };
  }
}

async function look(name: string, id: string, detects: () => boolean | Promise<boolean>, load: () => Promise<Backend>): Promise<Found> {
  try {
    const fits = await detects();
    const backend = await load();
    return { name, id, fits, capabilities: capabilitiesOf(backend), commands: commandsOf(backend) };
  } catch (error) {
    return { name, id, fits: false, capabilities: [], commands: [], problem: messageOf(error) };
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error));

function asText(found: readonly Found[]): string {
  const paragraphs = found.map(({ name, id, fits, capabilities, commands: brought, problem }) => {
    if (problem !== undefined) return `${name}: cannot be loaded here: ${problem}\n`;
    const lacking = lackingCommands(brought);
    return [
      `${name}${id === undefined || id === name ? '' : ` (${id})`}: ${brought.length} of ${measured.length} commands${fits ? ', fits this machine' : ''}`,
      `  brings  ${capabilities.join(', ')}`,
      ...(lacking.length === 0 ? [] : [`  lacks   ${lacking.join(', ')}`]),
      '',
    ].join('\n');
  });
  return paragraphs.join('\n');
}

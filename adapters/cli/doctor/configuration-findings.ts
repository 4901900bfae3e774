// SPDX-License-Identifier: Apache-2.0
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import { Policy } from '../../../core/policy/policy.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { commands } from '../../../core/schema/index.ts';
import type { Settings } from '../../config/settings.ts';
import type { SubcommandContext } from '../subcommand.ts';

/** Without these libvirt takes the agent for dead. */
export const neededByLibvirt = ['guest-sync', 'guest-sync-delimited', 'guest-info', 'guest-ping'] as const;

/** Names of the commands that `block-rpcs` and `allow-rpcs` take away. */
export function forbiddenCommands({ allowRpcs, blockRpcs }: Settings): readonly string[] {
  const policy = new Policy({ allow: allowRpcs, block: blockRpcs });
  return commands.filter((schema) => policy.outlook(schema, false, '').kind === 'refused').map(({ name }) => name);
}

/** What the administrator has written, and what will come of it. */
export function configurationFindings(settings: Settings, { file, warnings, problem }: SubcommandContext['configuration']): readonly Finding[] {
  const policy = new Policy({ allow: settings.allowRpcs, block: settings.blockRpcs });
  const unknown = policy.unknownNames(new Set(commands.map(({ name }) => name)));
  const forbidden = forbiddenCommands(settings);
  return [
    problem === undefined
      ? good('configuration', file === undefined ? 'there is no file: every setting has its default' : `read from ${file}`)
      : bad('configuration', `${problem}; no agent starts with it, and everything below is looked at with defaults`, 'correct it'),
    ...warnings.map((said) => warning('configuration', said, 'correct the spelling, or take it out')),
    ...unknown.map((name) =>
      warning('configuration', `no command is named '${name}', which is in block-rpcs or allow-rpcs`, 'concierge-ga --block-rpcs=help lists the names')),
    ...forbiddenFindings(forbidden, settings),
    ...(settings.freezeTimeout === 0
      ? [warning('freeze-timeout', 'a freeze has no deadline: if the host dies in a backup, the guest stays frozen', 'set freeze-timeout to more seconds than a backup holds the guest')]
      : []),
  ];
}

/** What hosts cannot do without, and what they then do not get. */
const neededFor: readonly (readonly [names: readonly string[], without: string])[] = [
  [['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw', 'guest-fsfreeze-status'], 'no backup can freeze the file systems'],
  [['guest-shutdown'], 'no host can shut the guest down by the agent'],
];

function forbiddenFindings(forbidden: readonly string[], { allowRpcs }: Settings): readonly Finding[] {
  if (forbidden.length === 0) return [];
  const remedy = allowRpcs.length > 0 ? 'add them to allow-rpcs' : 'take them out of block-rpcs';
  const missed = neededByLibvirt.filter((name) => forbidden.includes(name));
  const lost = neededFor.flatMap(([names, without]) => {
    const lacking = names.filter((name) => forbidden.includes(name));
    return lacking.length === 0 ? [] : [warning('forbidden commands', `${without}: ${lacking.join(', ')}`, `${remedy}, where hosts are to do that`)];
  });
  const warnings = [...(missed.length === 0 ? [] : [warning('forbidden commands', `libvirt cannot do without ${missed.join(', ')}`, remedy)]), ...lost];
  return warnings.length > 0 ? warnings : [good('forbidden commands', forbidden.join(', '))];
}

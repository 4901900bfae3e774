import { good, warning } from '../../../core/diagnosis/finding.ts';
import { Policy } from '../../../core/policy/policy.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { commands } from '../../../core/schema/index.ts';
import type { Settings } from '../../config/settings.ts';

/** Without these libvirt takes the agent for dead. */
const neededByLibvirt = ['guest-sync', 'guest-sync-delimited', 'guest-info', 'guest-ping'] as const;

/** What the administrator has written, and what will come of it. */
export function configurationFindings(settings: Settings, { file, warnings }: { readonly file: string | undefined; readonly warnings: readonly string[] }): readonly Finding[] {
  const policy = new Policy({ allow: settings.allowRpcs, block: settings.blockRpcs });
  const unknown = policy.unknownNames(new Set(commands.map(({ name }) => name)));
  const forbidden = commands.filter((schema) => !policy.judge(schema, false).allowed).map(({ name }) => name);
  const missed = neededByLibvirt.filter((name) => forbidden.includes(name));
  return [
    good('configuration', file === undefined ? 'there is no file: every setting has its default' : `read from ${file}`),
    ...warnings.map((said) => warning('configuration', said, 'correct the spelling, or take it out')),
    ...unknown.map((name) =>
      warning('configuration', `no command is named '${name}', which is in block-rpcs or allow-rpcs`, 'concierge-ga --block-rpcs=help lists the names')),
    ...(missed.length === 0 ? [] : [warning('forbidden commands', `libvirt cannot do without ${missed.join(', ')}`, 'add them to allow-rpcs, or take them out of block-rpcs')]),
    ...(forbidden.length === 0 ? [] : [good('forbidden commands', forbidden.join(', '))]),
    ...(settings.freezeTimeout === 0
      ? [warning('freeze-timeout', 'a freeze has no deadline: if the host dies in a backup, the guest stays frozen', 'set freeze-timeout to more seconds than a backup holds the guest')]
      : []),
  ];
}

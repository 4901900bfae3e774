// SPDX-License-Identifier: Apache-2.0
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import { nameOf, planFreeze } from '../../../core/freeze/plan.ts';
import type { Backend, Channels, Finding } from '../../../core/ports/index.ts';
import type { Settings } from '../../config/settings.ts';
import { channelPath } from '../../channels/index.ts';
import { forbiddenCommands, neededByLibvirt } from './configuration-findings.ts';
import { commandsOf, lackingCommands, measured } from '../reference-commands.ts';

/** From here on a backup's host may lose patience. */
const longFlushMs = 10_000;

/** Whether the host can come, as far as that can be told without opening anything. */
export async function channelFindings(channels: Channels, settings: Settings): Promise<readonly Finding[]> {
  const further = await Promise.all(settings.channels.map(async ({ name, ...channel }) => {
    const findings = await oneChannel(channels, channel);
    return findings.map((finding) => ({ ...finding, subject: `channel ${name}` }));
  }));
  return [...(await oneChannel(channels, settings)), ...further.flat()];
}

async function oneChannel(channels: Channels, { method, path: given }: Pick<Settings, 'method' | 'path'>): Promise<readonly Finding[]> {
  let path: string;
  try {
    path = channelPath(channels, method, given);
  } catch (error) {
    return [bad('channel', messageOf(error), 'correct `method` and `path`')];
  }
  return (await channels.examine?.(method, path)) ?? [];
}

export async function hookFindings({ hooks }: Backend): Promise<readonly Finding[]> {
  if (hooks === undefined) return [];
  try {
    const list = await hooks.list();
    const refused = list.filter((hook) => hook.refused !== undefined);
    if (refused.length === 0) return [good('freeze hooks', list.length === 0 ? 'there are none' : list.map(({ name }) => name).join(', '))];
    return refused.map(({ name, refused: reason = '', canVeto }) =>
      (canVeto ? bad : warning)('freeze hooks', `${because(name, reason)}${canVeto ? ': every freeze will fail' : ''}`, 'correct its owner and mode (root, 755; its directory too), or take it out'));
  } catch (error) {
    return [bad('freeze hooks', messageOf(error), 'correct the hook directory')];
  }
}

/** The reason names the hook itself, or a directory above it. */
const because = (name: string, reason: string): string => (reason.startsWith(name) ? reason : reason.startsWith('/') ? `${name}: ${reason}` : `${name} ${reason}`);

/** What a freeze would do now. */
export async function planFindings({ fileSystem }: Backend, excluded: readonly string[]): Promise<readonly Finding[]> {
  const freezing = fileSystem?.freezing;
  if (freezing === undefined) return [warning('freeze plan', 'this machine has nothing that freezes file systems', 'backups are consistent after a crash only')];
  try {
    const { levels, leftOut, cutCycles, idleExclusions } = planFreeze(await freezing.survey(), { excluded, mountPoints: undefined });
    const frozen = levels.flat();
    const flushMs = Math.max(0, ...frozen.map(({ flushEstimateMs = 0 }) => flushEstimateMs));
    const overlooked = leftOut.filter(({ reason }) => reason === 'covered' || reason === 'cannot-open');
    return [
      frozen.length === 0
        ? warning('freeze plan', `nothing would be frozen: ${leftOut.length === 1 ? '1 file system is' : `${leftOut.length} file systems are`} left out`, 'concierge-ga freeze --dry-run --json gives the reason for each')
        : good('freeze plan', frozen.map(nameOf).join(', ')),
      ...(flushMs < longFlushMs ? [] : [warning('freeze plan', `flushing is likely to take ${Math.round(flushMs / 1000)} s now`, 'let backups begin when less is written')]),
      ...overlooked.map(({ mountPoint, detail }) => warning('freeze plan', `${mountPoint} is left out: ${detail}`, 'unmount what covers it')),
      ...idleExclusions.map((mountPoint) => warning('freeze plan', `fsfreeze-exclude names ${mountPoint}, where nothing is mounted`, 'write the mount point as `findmnt` shows it, or take it out')),
      ...cutCycles.map((mountPoint) => warning('freeze plan', `file systems rest on each other in a ring, cut open at ${mountPoint}`, 'take one of them out with fsfreeze-exclude')),
    ];
  } catch (error) {
    return [bad('freeze plan', messageOf(error), 'concierge-ga freeze --dry-run --json')];
  }
}

/** Which commands exist on this machine. */
export function commandFindings(backend: Backend, settings: Settings): readonly Finding[] {
  const brought = commandsOf(backend);
  const absent = lackingCommands(brought);
  const forbidden = forbiddenCommands(settings);
  const withheld = brought.filter((name) => forbidden.includes(name));
  const make = neededByLibvirt.some((name) => withheld.includes(name)) ? warning : good;
  const lack = absent.length === 0 ? '' : `; this machine has nothing for ${absent.join(', ')}`;
  return [make('commands', `${brought.length} of ${measured.length}${lack}${withheld.length === 0 ? '' : `; the configuration forbids ${withheld.length} of them`}`)];
}

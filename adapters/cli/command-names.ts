import { commands } from '../../core/schema/index.ts';
import type { Capability, CommandSchema } from '../../core/schema/command.ts';
import type { Platform } from '../config/settings-table.ts';

/** What qemu-ga 10.2 lacks on a platform (reference: its table of commands). */
const absent: Readonly<Record<Platform, ReadonlySet<Capability>>> = {
  posix: new Set(['host.devices']),
  windows: new Set([
    'power.suspend.hybrid', 'processors.online.switching', 'memory.blocks', 'memory.blocks.switching', 'fileSystem.diskStatistics',
    'processors.statistics', 'network.routes',
  ]),
};

/** Names for `--block-rpcs=help`, in the order of the schema. */
export const listedCommands = (platform: Platform): readonly string[] =>
  commands
    .filter(({ needs }: CommandSchema) => needs === undefined || !absent[platform].has(needs))
    .map(({ name }) => name);

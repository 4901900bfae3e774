// SPDX-License-Identifier: Apache-2.0
import { commands } from '../../core/schema/index.ts';
import type { CommandSchema } from '../../core/schema/command.ts';
import type { Platform } from '../config/settings-table.ts';
import { leftOut } from '../left-out.ts';

/** Names for `--block-rpcs=help`, in the order of the schema. */
export function listedCommands(platform: Platform): readonly string[] {
  const absent = leftOut[platform === 'windows' ? 'windows' : 'linux'];
  return commands.filter(({ needs }: CommandSchema) => needs === undefined || !absent.has(needs)).map(({ name }) => name);
}

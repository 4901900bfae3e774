// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { handlers } from '../../../core/commands/index.ts';
import type { CommandSchema } from '../../../core/schema/command.ts';
import { commandNames, commands } from '../../../core/schema/index.ts';
import type { SchemaType, StructType } from '../../../core/schema/types.ts';

const all: readonly CommandSchema[] = commands;

function structsOf(type: SchemaType): readonly StructType[] {
  if (type.kind === 'list') return structsOf(type.of);
  if (type.kind !== 'struct') return [];
  return [type, ...Object.values(type.members).flatMap((member) => structsOf(member.type))];
}

const typesOf = (schema: CommandSchema): readonly SchemaType[] =>
  [schema.result, ...Object.values(schema.arguments).map(({ type }) => type)];

describe('the schema', () => {
  it('has the commands of qemu-ga 11.1 in its order, those of the release after it, then our own', () => {
    expect(commandNames).toEqual([
      'guest-sync-delimited', 'guest-sync', 'guest-ping', 'guest-get-time', 'guest-set-time', 'guest-info', 'guest-shutdown',
      'guest-file-open', 'guest-file-close', 'guest-file-read', 'guest-file-write', 'guest-file-seek', 'guest-file-flush',
      'guest-fsfreeze-status', 'guest-fsfreeze-freeze', 'guest-fsfreeze-freeze-list', 'guest-fsfreeze-thaw', 'guest-fstrim',
      'guest-suspend-disk', 'guest-suspend-ram', 'guest-suspend-hybrid', 'guest-network-get-interfaces', 'guest-get-vcpus',
      'guest-set-vcpus', 'guest-get-disks', 'guest-get-fsinfo', 'guest-set-user-password', 'guest-get-memory-blocks',
      'guest-set-memory-blocks', 'guest-get-memory-block-info', 'guest-exec-status', 'guest-exec', 'guest-get-host-name',
      'guest-get-users', 'guest-get-timezone', 'guest-get-osinfo', 'guest-get-devices', 'guest-ssh-get-authorized-keys',
      'guest-ssh-add-authorized-keys', 'guest-ssh-remove-authorized-keys', 'guest-get-diskstats', 'guest-get-cpustats',
      'guest-get-load', 'guest-network-get-route', 'guest-get-driver-packages', 'guest-get-driver-services', '__org.concierge_fsfreeze-report',
      '__org.concierge_fsfreeze-plan',
      '__org.concierge_exec-start', '__org.concierge_exec-exchange', '__org.concierge_exec-signal', '__org.concierge_exec-resize',
      '__org.concierge_exec-list', '__org.concierge_exec-forget', '__org.concierge_generation',
    ]);
  });

  it('answers these while file systems are frozen', () => {
    expect(all.filter(({ whileFrozen }) => whileFrozen).map(({ name }) => name)).toEqual([
      'guest-sync-delimited', 'guest-sync', 'guest-ping', 'guest-info', 'guest-fsfreeze-status', 'guest-fsfreeze-thaw',
      '__org.concierge_fsfreeze-report', '__org.concierge_generation',
    ]);
  });

  it('has no answer on success for these', () => {
    expect(all.filter(({ successResponse }) => !successResponse).map(({ name }) => name)).toEqual([
      'guest-shutdown', 'guest-suspend-disk', 'guest-suspend-ram', 'guest-suspend-hybrid',
    ]);
  });

  it('marks the answer of guest-sync-delimited alone', () => {
    expect(all.filter(({ sentinel }) => sentinel === true).map(({ name }) => name)).toEqual(['guest-sync-delimited']);
  });

  it('prints every member of every structure, each once', () => {
    for (const { name, wireOrder, members } of all.flatMap(typesOf).flatMap(structsOf)) {
      expect(wireOrder.toSorted(), name).toEqual(Object.keys(members).toSorted());
    }
  });

  it('gives one name to one type', () => {
    const shapes = new Map<string, string>();
    for (const struct of all.flatMap(typesOf).flatMap(structsOf)) {
      const shape = JSON.stringify(struct);
      expect(shapes.get(struct.name) ?? shape, struct.name).toBe(shape);
      shapes.set(struct.name, shape);
    }
  });

  it('describes everything', () => {
    for (const schema of all) {
      const docs = [
        schema.summary, schema.since, ...Object.values(schema.arguments).map(({ doc }) => doc),
        ...typesOf(schema).flatMap(structsOf).flatMap(({ members }) => Object.values(members).map(({ doc }) => doc)),
        ...schema.errors.flat(),
      ];
      expect(docs.filter((text) => text.trim() === ''), schema.name).toEqual([]);
    }
  });
});

it('has one handler for each command, in the same order', () => {
  expect(handlers.map(({ schema }) => schema.name)).toEqual(commandNames);
  handlers.forEach(({ schema }, index) => { expect(schema).toBe(commands[index]); });
});

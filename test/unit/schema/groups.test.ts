// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { CommandGroup, CommandSchema } from '../../../core/schema/command.ts';
import { commands } from '../../../core/schema/index.ts';
import type { SchemaType } from '../../../core/schema/types.ts';

const schemas: readonly CommandSchema[] = commands;

const of = (group: CommandGroup): readonly string[] => schemas.filter((schema) => schema.group === group).map(({ name }) => name);

const isText = (type: SchemaType): boolean => type.kind === 'str' || (type.kind === 'list' && isText(type.of));

describe('the groups of the commands', () => {
  it('whatever is answered while frozen asks, or thaws', () => {
    expect(schemas.filter(({ whileFrozen, group }) => whileFrozen && group !== 'observe').map(({ name }) => name)).toEqual(['guest-fsfreeze-thaw']);
  });

  it('commands that only ask are called so', () => {
    const others = of('observe').filter((name) => !/^guest-(get|network-get|sync|ping|info|fsfreeze-status)|^__org\.concierge_(fsfreeze-|generation$)/.test(name));

    expect(others).toEqual([]);
    expect(of('hardware')).toEqual(['guest-set-time', 'guest-set-vcpus', 'guest-set-memory-blocks']);
    expect(of('freeze')).toEqual(['guest-fsfreeze-freeze', 'guest-fsfreeze-freeze-list', 'guest-fsfreeze-thaw', 'guest-fstrim']);
  });

  it('text that may be recorded is no secret: paths, modes and names alone', () => {
    const shown = new Set(schemas.flatMap((schema) => Object.entries(schema.arguments).flatMap(([name, { shown: mark }]) => (mark === true ? [name] : []))));
    const hidden = new Set(schemas.flatMap((schema) => Object.entries(schema.arguments).flatMap(([name, { shown: mark, type }]) => (mark !== true && isText(type) ? [name] : []))));

    expect([...hidden].filter((name) => shown.has(name))).toEqual([]);
    for (const secret of ['password', 'keys', 'arg', 'env', 'input-data', 'buf-b64']) expect(hidden).toContain(secret);
  });
});

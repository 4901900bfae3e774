// SPDX-License-Identifier: Apache-2.0
/** The types of commands that the client publishes: made from the schema, complete, and those that the schema itself means. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import type { Commands } from '../../../client/index.ts';
import { openModes } from '../../../core/commands/files.ts';
import type { ArgumentsOf, ResultOf } from '../../../core/schema/command.ts';
import { commands, type Command, type CommandName } from '../../../core/schema/index.ts';
import type { SchemaType } from '../../../core/schema/types.ts';
import { clientTypes, typesPath } from '../../../scripts/client-types.ts';
import { ctl } from './cli/ctl.ts';

const text = readFileSync(typesPath, 'utf8');

// -- compiled, not run: what is generated takes and answers what the schema means --------------------------------

type Named<N extends CommandName> = Extract<Command, { readonly name: N }>;
type Loose<T> = T extends bigint ? bigint | number : T extends readonly (infer E)[] ? readonly Loose<E>[] : T extends object ? { readonly [K in keyof T]: Loose<T[K]> } : T;
type Exact<T> = ExactPresent<Exclude<T, undefined>>;
type ExactPresent<T> = [T] extends [number] ? number : [T] extends [bigint | number] ? bigint
  : T extends readonly (infer E)[] ? readonly Exact<E>[] : T extends object ? { readonly [K in keyof T]: Exact<T[K]> } : T;
type Takes = { [N in CommandName]: Commands[N]['arguments'] extends Loose<ArgumentsOf<Named<N>>> ? true : N }[CommandName];
type Answers = { [N in CommandName]: Commands[N]['result'] extends Exact<ResultOf<Named<N>>> ? true : N }[CommandName];
type All = [Exclude<CommandName, keyof Commands>, Exclude<keyof Commands, CommandName>];
// A command that differs would stand here by its name.
const isSame: readonly [Takes, Answers, All] extends readonly [true, true, [never, never]] ? true : [Takes, Answers, All] = true;

describe('the types of commands', () => {
  it('are made from the schema (else: node scripts/docs-commands.ts)', () => {
    expect(text).toBe(clientTypes());
    expect(isSame).toBe(true);
  });

  it('explain every command, argument and member', () => {
    const lines = text.split('\n');
    const silent = lines.filter((line, index) => /^ +readonly /.test(line) && !/^ {4}readonly (arguments|result): /.test(line) && !lines[index - 1]?.endsWith('*/'));

    expect(silent).toEqual([]);
    for (const { name } of commands) expect(text).toContain(`  readonly '${name}': {\n`);
    // An empty explanation is none.
    expect(text).not.toMatch(/\/\*\*\s*\*\//);
  });

  it('have a union where the schema knows all values', () => {
    const words: string[] = [];
    const look = (type: SchemaType): void => {
      if (type.kind === 'enum') words.push(...type.values);
      else if (type.kind === 'alternate') look(type.words);
      else if (type.kind === 'list') look(type.of);
      else if (type.kind === 'struct') for (const member of Object.values(type.members)) look(member.type);
      else if (type.kind === 'str') words.push(...(type.among ?? []));
    };
    for (const { arguments: args, result } of commands) {
      look(result);
      for (const { type } of Object.values(args as Readonly<Record<string, { readonly type: SchemaType }>>)) look(type);
    }

    expect(words.length).toBeGreaterThan(60);
    for (const word of words) expect(text).toContain(`'${word}'`);
  });
});

describe('text of which the schema knows all that makes sense', () => {
  const among = (command: string, argument: string): readonly string[] => {
    const args = (commands.find(({ name }) => name === command)?.arguments ?? {}) as Readonly<Record<string, { readonly type: SchemaType }>>;
    const type = args[argument]?.type;
    return type?.kind === 'str' ? (type.among ?? []) : [];
  };

  it('is what guest-file-open takes', () => {
    expect(among('guest-file-open', 'mode').toSorted()).toEqual([...openModes.keys()].toSorted());
  });

  it('is what guest-shutdown takes', async () => {
    for (const mode of among('guest-shutdown', 'mode')) expect(await ctl(['raw', 'guest-shutdown', JSON.stringify({ mode }), '--timeout', '0.05'])).not.toMatchObject({ status: 1 });
    expect(await ctl(['raw', 'guest-shutdown', '{"mode": "sleep"}'])).toMatchObject({ status: 1, err: expect.stringContaining(`valid values are: ${among('guest-shutdown', 'mode').toSorted().join('|')}`) });
  });
});

// SPDX-License-Identifier: Apache-2.0
import type { CapabilityGroup } from '../../core/ports/capabilities.ts';
import type { Backend } from '../../kit/index.ts';

/** A planted fault: what a backend gets wrong, and the sentence of the contract that has to notice. */
export interface Mutant {
  /** What is wrong with it. */
  readonly fault: string;
  /** The group of the contract suite that is run. */
  readonly group: CapabilityGroup;
  /** Part of the sentence that fails. */
  readonly caughtBy: string;
  readonly plant: (backend: Backend) => Backend;
  /** The sentence changes the machine, or wants one that is not there everywhere: it runs on the fake only. */
  readonly fakeOnly?: true;
}

/** An object with some members replaced; the rest works as before, private state included. */
export function replaced<T extends object>(original: T, members: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(original, {
    get: (target, key) => {
      if (Object.hasOwn(members, key)) return members[key as keyof T];
      const member: unknown = Reflect.get(target, key);
      return typeof member === 'function' ? (member as (...rest: unknown[]) => unknown).bind(target) : member;
    },
  });
}

/** Something that has to be there for the mutant to be one. */
export function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the backend has no ${name} to plant a fault in`);
  return value;
}

/** Replaces members of the group with this dotted name; `Group` is the port's type of it. */
export const planted = <Group extends object>(group: string, change: (original: Group) => Partial<Record<keyof Group, unknown>>) =>
  (backend: Backend): Backend => plantedAt(backend, group.split('.'), (original) => change(original as Group));

function plantedAt<T extends object>(owner: T, [name = '', ...rest]: readonly string[], change: (original: object) => object): T {
  const original = present(Reflect.get(owner, name) as object | undefined, name);
  return replaced(owner, { [name]: rest.length === 0 ? replaced(original, change(original)) : plantedAt(original, rest, change) } as Partial<Record<keyof T, unknown>>);
}

interface Lister {
  list(): Promise<readonly unknown[]>;
}

/** The group lists something else than before. What a machine may lack is added, so that the fault is there on every one. */
export const listing = <Entry>(group: string, change: (list: readonly Entry[]) => readonly (Entry | object)[]) =>
  planted<Lister>(group, (original) => ({ list: async () => change((await original.list()) as readonly Entry[]) }));

import type { Backend } from '../../kit/index.ts';

/** A planted fault: what a backend gets wrong, and the sentence of the contract that has to notice. */
export interface Mutant {
  /** What is wrong with it. */
  readonly fault: string;
  /** The group of the contract suite that is run. */
  readonly group: string;
  /** Part of the sentence that fails. */
  readonly caughtBy: string;
  readonly plant: (backend: Backend) => Backend;
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

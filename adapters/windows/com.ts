// SPDX-License-Identifier: Apache-2.0
import { koffi, type Pointer } from './koffi.ts';
import { callOnThread, type GuidValue, type ParameterType } from './own-thread.ts';

type AnyMethod = (...args: never[]) => unknown;

/** One method: its place in the table, and its parameters after `this`. All answer an HRESULT, but for those of IUnknown. */
export type Slot<M extends AnyMethod> = readonly [slot: number, parameters: readonly ParameterType[]] & { readonly __method?: M };

type Slots = Readonly<Record<string, Slot<AnyMethod>>>;

const checked: unique symbol = Symbol('an interface that the tests compare');

/** Part of a COM interface as data. The tests compare slots and parameters with the headers. */
export interface ComInterface<S extends Slots = Slots> {
  /** Only `comInterface` gives it. */
  readonly [checked]: true;
  readonly name: string;
  readonly header: string;
  readonly slots: S;
}

export const slot = <M extends AnyMethod>(place: number, parameters: readonly ParameterType[] = []): Slot<M> => [place, parameters];

/** The three methods of IUnknown, in every interface. */
const unknown = {
  QueryInterface: slot<(interfaceId: Buffer, found: [Pointer | null]) => number>(0, ['void *', 'out void *']),
  AddRef: slot<() => number>(1),
  Release: slot<() => number>(2),
} as const;

/** Every interface there is, for the test that compares them. */
export const interfaces: ComInterface[] = [];

export function comInterface<const S extends Slots>(name: string, header: string, slots: S): ComInterface<typeof unknown & S> {
  const made = { [checked]: true, name, header, slots: { ...unknown, ...slots } } as const;
  interfaces.push(made);
  return made;
}

type Methods<S> = {
  readonly [Name in keyof S]: S[Name] extends Slot<infer M> ? (...args: Parameters<M>) => Promise<ReturnType<M>> : never;
};

/** An object behind an interface, whose methods are called on threads of their own. */
export type ComObject<S extends Slots> = Methods<S> & {
  /**
   * Gives the caller's reference back, once no call that was begun is still inside the object: the service behind it may hang,
   * and the object must be there when it comes back. Never waits.
   */
  readonly release: () => void;
};

/** A GUID as a parameter by value. */
export const guidValue = (bytes: Buffer): GuidValue => ({ bytes: [...bytes] });

/** The methods of the object at an address, called through its table. The reference is the caller's, to be given back by `release`. */
export function comObject<S extends Slots>(of: ComInterface<S>, address: Pointer): ComObject<S> {
  const table = koffi().decode(address, 'void *') as Pointer;
  let inside = 0;
  let given = false;
  const call = async (place: number, parameters: readonly ParameterType[], args: readonly unknown[]): Promise<number> => {
    inside += 1;
    try {
      return await callOnThread(koffi().decode(table, place * 8, 'void *') as Pointer, ['void *', ...parameters], [address, ...args]);
    } finally {
      inside -= 1;
      letGo();
    }
  };
  let released = false;
  const letGo = (): void => {
    if (!given || released || inside > 0) return;
    released = true;
    // On a thread too: a proxy tells its service.
    void call(unknown.Release[0], [], []);
  };
  const methods: Record<string, unknown> = {
    release: (): void => {
      given = true;
      letGo();
    },
  };
  for (const [name, [place, parameters]] of Object.entries(of.slots)) {
    methods[name] = (...args: readonly unknown[]) => {
      if (given) throw new TypeError(`${of.name}::${name} of an object that was given back`);
      return call(place, parameters, args);
    };
  }
  return methods as ComObject<S>;
}

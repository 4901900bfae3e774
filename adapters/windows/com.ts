import { callable, type DllFunction } from './dll.ts';
import { koffi, type KoffiType, type Pointer, type RawFunction } from './koffi.ts';

type AnyMethod = (...args: never[]) => unknown;

/** One method: its place in the table, and its parameters after `this` in koffi's words. */
export type Slot<M extends AnyMethod> = readonly [slot: number, result: string, parameters: readonly ParameterType[]] & { readonly __method?: M };

/** A type of koffi by name, `out NAME` for where the method writes one, or GUID, by value. */
export type ParameterType = string;

type Slots = Readonly<Record<string, Slot<AnyMethod>>>;

/** Part of a COM interface as data. The tests compare the slots with the headers. */
export interface ComInterface<S extends Slots = Slots> {
  readonly name: string;
  readonly header: string;
  readonly slots: S;
}

export const slot = <M extends AnyMethod>(place: number, parameters: readonly ParameterType[] = [], result = 'int32_t'): Slot<M> =>
  [place, result, parameters];

/** The three methods of IUnknown, in every interface. */
const unknown = {
  QueryInterface: slot<(interfaceId: Buffer, found: [Pointer | null]) => number>(0, ['void *', 'out void *']),
  AddRef: slot<() => number>(1, [], 'uint32_t'),
  Release: slot<() => number>(2, [], 'uint32_t'),
} as const;

export const comInterface = <const S extends Slots>(name: string, header: string, slots: S): ComInterface<typeof unknown & S> =>
  ({ name, header, slots: { ...unknown, ...slots } });

type Methods<S> = { readonly [Name in keyof S]: S[Name] extends Slot<infer M> ? DllFunction<M> : never };

/** An object behind an interface: its methods, and its address for those that take one. */
export type ComObject<S extends Slots> = Methods<S> & { readonly address: Pointer };

const types = new Map<string, KoffiType>();

/** Made once. They have no names in koffi, where a name can be given once in the life of a process. */
function typeOf(name: ParameterType): string | KoffiType {
  if (name === 'GUID') return once('GUID', () => koffi().struct(null, { bytes: koffi().array('uint8_t', 16) }));
  if (!name.startsWith('out ')) return name;
  return once(name, () => koffi().out(koffi().pointer(typeOf(name.slice(4)))));
}

function once(name: string, make: () => KoffiType): KoffiType {
  const known = types.get(name) ?? make();
  types.set(name, known);
  return known;
}

const functions = new Map<KoffiType, Map<Pointer, RawFunction>>();

/** All objects of a class share their methods: each is made once, because koffi gives its memory back late. */
function functionAt(address: Pointer, type: KoffiType): RawFunction {
  const known = functions.get(type) ?? new Map<Pointer, RawFunction>();
  functions.set(type, known);
  const made = known.get(address) ?? (koffi().decode(address, type) as RawFunction);
  known.set(address, made);
  return made;
}

/** A GUID as a parameter by value. */
export const guidValue = (bytes: Buffer): { readonly bytes: readonly number[] } => ({ bytes: [...bytes] });

/**
 * The methods of the object at an address, called through its table. The reference is the caller's: nothing is released
 * but by `Release`.
 */
export function comObject<S extends Slots>(of: ComInterface<S>, address: Pointer): ComObject<S> {
  const table = koffi().decode(address, 'void *') as Pointer;
  const methods: Record<string, unknown> = { address };
  for (const [name, [place, result, parameters]] of Object.entries(of.slots)) {
    const type = once(`${of.name}_${name}`, () => koffi().proto(null, result, ['void *', ...parameters.map(typeOf)]));
    const raw = functionAt(koffi().decode(table, place * 8, 'void *') as Pointer, type);
    const bound = Object.assign((...args: readonly unknown[]) => raw(address, ...args), {
      async: (...args: readonly unknown[]) => raw.async(address, ...args),
    });
    methods[name] = callable(bound);
  }
  return methods as ComObject<S>;
}

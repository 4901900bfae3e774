// SPDX-License-Identifier: Apache-2.0
/** What a value has to look like, in words: answers what is wrong with it, or nothing. */
export type Check = (value: unknown, where: string) => string | undefined;

const shown = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return `the ${typeof value} ${String(value)}`;
  return value === undefined ? 'undefined' : `a value of type ${typeof value}`;
};

const simple = (expected: string, holds: (value: unknown) => boolean): Check => (value, where) =>
  holds(value) ? undefined : `${where} should be ${expected}, but is ${shown(value)}`;

export const text = simple('a text', (value) => typeof value === 'string');
export const flag = simple('true or false', (value) => typeof value === 'boolean');
export const finite = simple('a finite number', (value) => typeof value === 'number' && Number.isFinite(value));
export const whole = simple('a whole number', (value) => typeof value === 'number' && Number.isSafeInteger(value));
export const count = simple('a whole number from 0', (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0);
export const int64 = simple('a bigint of 64 bits', (value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value);
export const uint64 = simple('an unsigned bigint of 64 bits', (value) => typeof value === 'bigint' && BigInt.asUintN(64, value) === value);
export const uint128 = simple('an unsigned bigint of 128 bits', (value) => typeof value === 'bigint' && BigInt.asUintN(128, value) === value);
export const failure = simple('an error', (value) => value instanceof Error || (typeof value === 'object' && value !== null && typeof Reflect.get(value, 'message') === 'string'));
export const nothing: Check = () => undefined;

export const oneOf = (...words: readonly string[]): Check => simple(`one of ${words.join(', ')}`, (value) => typeof value === 'string' && words.includes(value));

export const orUndefined = (check: Check): Check => (value, where) => (value === undefined ? undefined : check(value, where));

export const listOf = (element: Check, length?: number): Check => (value, where) => {
  if (!Array.isArray(value)) return `${where} should be an array, but is ${shown(value)}`;
  if (length !== undefined && value.length !== length) return `${where} should have ${length} elements, but has ${value.length}`;
  for (const [index, one] of value.entries()) {
    const wrong = element(one, `${where}[${index}]`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
};

/** Members that have to be there, and ones that may: those are absent, never undefined. Further ones are forbidden. */
export const record = (required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>> = {}): Check => (value, where) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${where} should be an object, but is ${shown(value)}`;
  for (const [name, check] of Object.entries(required)) {
    const wrong = check(Reflect.get(value, name), `${where}.${name}`);
    if (wrong !== undefined) return wrong;
  }
  for (const [name, member] of Object.entries(value)) {
    if (Object.hasOwn(required, name)) continue;
    const check = optional[name];
    if (check === undefined) return `${where}.${name} is no member of the port`;
    const wrong = check(member, `${where}.${name}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
};

/** An object with these methods, and whatever else it keeps for itself. */
export const withMethods = (...methods: readonly string[]): Check => (value, where) => {
  if (typeof value !== 'object' || value === null) return `${where} should be an object, but is ${shown(value)}`;
  const missing = methods.filter((name) => typeof Reflect.get(value, name) !== 'function');
  return missing.length === 0 ? undefined : `${where} lacks the method ${missing.map((name) => `'${name}'`).join(', ')}`;
};

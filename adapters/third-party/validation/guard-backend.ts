// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import { capabilityGroups, groupOf, type CapabilityGroup } from '../../../core/ports/capabilities.ts';
import type { Backend } from '../../../core/ports/index.ts';
import { capabilitiesOf } from '../declared-capabilities.ts';
import { portMethods, type MethodContract } from './ports.ts';
import type { Check } from './shape.ts';

/**
 * Methods that the groups of a backend lack: half a port is worse than none, because its commands would exist.
 *
 * @returns dotted names: `fileSystem.files.open`
 */
export function missingMethods(backend: Backend): readonly string[] {
  const listed: unknown = backend.channels?.methods;
  const names = backend.channels === undefined || (Array.isArray(listed) && listed.length > 0) ? [] : ['channels.methods'];
  return [...names, ...(['clock', ...capabilitiesOf(backend)] as const).flatMap((name) => {
    const group = groupOf(backend, name);
    const methods = Object.entries(portMethods[name]).filter(([, { optional }]) => optional !== true);
    return methods
      .map(([method]) => method)
      .filter((method) => typeof group !== 'object' || group === null || typeof Reflect.get(group, method) !== 'function')
      .map((method) => `${name}.${method}`);
  })];
}

/**
 * A backend whose answers are looked at on their way in: what a port forbids becomes a failed error with the backend's,
 * the port's and the method's name, and never reaches a host. Errors that are not `AgentError`s get the same names.
 */
export const guardBackend = (backend: Backend, id: string): Backend => guardGroup(backend, '', id);

function guardGroup<T extends object>(group: T, name: string, id: string): T {
  const methods = isGroupName(name) ? portMethods[name] : {};
  const guarded = new Map<string, unknown>();
  return viewOf(group, (key) => {
    const member: unknown = Reflect.get(group, key);
    const known = guarded.get(key);
    if (known !== undefined) return known;
    const inner = name === '' ? key : `${name}.${key}`;
    const made = guardMember(group, member, methods[key], inner, id);
    if (made !== member) guarded.set(key, made);
    return made;
  });
}

/** An object that shows another's members as `read` answers them. Not a proxy of it: a frozen one may show nothing but itself. */
function viewOf<T extends object>(object: T, read: (key: string) => unknown): T {
  const get = (key: string | symbol): unknown => (typeof key === 'symbol' ? Reflect.get(object, key) : read(key));
  return new Proxy({} as T, {
    get: (_target, key) => get(key),
    set: (_target, key, value) => Reflect.set(object, key, value),
    has: (_target, key) => Reflect.has(object, key),
    ownKeys: () => Reflect.ownKeys(object),
    getPrototypeOf: () => Reflect.getPrototypeOf(object),
    getOwnPropertyDescriptor: (_target, key) => {
      const own = Reflect.getOwnPropertyDescriptor(object, key);
      return own === undefined ? undefined : { value: get(key), writable: true, enumerable: own.enumerable === true, configurable: true };
    },
  });
}

function guardMember(target: object, member: unknown, contract: MethodContract | undefined, name: string, id: string): unknown {
  if (typeof member === 'function') return contract === undefined ? member.bind(target) : guardMethod(target, member, contract, name, id);
  return isGroup(name, member) ? guardGroup(member, name, id) : member;
}

const isGroupName = (name: string): name is CapabilityGroup => (capabilityGroups as readonly string[]).includes(name);

const isGroup = (name: string, member: unknown): member is object =>
  typeof member === 'object' && member !== null && capabilityGroups.some((port) => port === name || port.startsWith(`${name}.`));

// oxlint-disable-next-line typescript/no-unsafe-function-type -- any method of any port goes through here
function guardMethod(target: object, method: Function, contract: MethodContract, name: string, id: string) {
  const inspect = (answer: unknown): unknown => {
    inspectAnswer(answer, contract.answer, name, id);
    if (contract.objects === undefined || answer === undefined) return answer;
    return Array.isArray(answer) ? answer.map((one: object) => guardObject(one, contract, name, id)) : guardObject(answer as object, contract, name, id);
  };
  const fail = failing(name, id);
  return (...rest: unknown[]): unknown => {
    let answer: unknown;
    try {
      answer = Reflect.apply(method, target, rest);
    } catch (error) {
      return fail(error);
    }
    return answer instanceof Promise ? answer.then(inspect, fail) : inspect(answer);
  };
}

function inspectAnswer(answer: unknown, check: Check, name: string, id: string): void {
  const wrong = check(answer, 'the answer');
  if (wrong !== undefined) throw AgentError.failed(`the backend '${id}' broke the contract of ${name}: ${wrong}`);
}

const failing = (name: string, id: string) => (error: unknown): never => {
  if (AgentError.is(error)) throw error;
  throw AgentError.failed(`the backend '${id}' failed in ${name}: ${messageOf(error)}`, error);
};

function guardObject(object: object, { objects = {}, promises = {} }: MethodContract, name: string, id: string): object {
  return viewOf(object, (key) => {
    const member: unknown = Reflect.get(object, key);
    const inner = `${name} → ${key}`;
    const promised = promises[key];
    if (promised !== undefined) return guardPromise(member, promised, inner, id);
    if (typeof member !== 'function') return member;
    const contract = objects[key];
    return contract === undefined ? member.bind(object) : guardMethod(object, member, contract, inner, id);
  });
}

/** What breaks the contract is a rejection, which the core takes for the loss of whatever the promise is about. */
function guardPromise(member: unknown, check: Check, name: string, id: string): Promise<unknown> {
  return Promise.resolve(member).then((answer) => {
    inspectAnswer(answer, check, name, id);
    return answer;
  }, failing(name, id));
}

// SPDX-License-Identifier: Apache-2.0
/**
 * A backend as one agent sees it: once that agent is killed, none of its calls has an effect, and no answer to one
 * arrives. The machine goes on.
 */
export class Lifetime {
  #alive = true;

  end(): void {
    this.#alive = false;
  }

  /** A port, with the groups in it and the objects that it hands out. */
  view<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member === 'function') return (...rest: unknown[]): unknown => this.#call(target, member, rest);
        if (member instanceof Promise) return this.#answer(member);
        return isGroup(member) ? this.view(member) : member;
      },
    });
  }

  // oxlint-disable-next-line typescript/no-unsafe-function-type -- any method of any port goes through here
  #call(target: object, method: Function, rest: readonly unknown[]): unknown {
    if (!this.#alive && !harmless.has(method.name)) return new Promise(() => {});
    const answer: unknown = Reflect.apply(method, target, rest.map((one) => this.#callback(one)));
    return answer instanceof Promise ? this.#answer(answer) : answer;
  }

  /** A timer or listener of a dead agent is not called. */
  #callback(argument: unknown): unknown {
    if (typeof argument !== 'function') return argument;
    return (...rest: unknown[]): unknown => (this.#alive ? (argument as (...all: unknown[]) => unknown)(...rest) : undefined);
  }

  async #answer(promise: Promise<unknown>): Promise<unknown> {
    try {
      const value = await promise;
      if (this.#alive) return Array.isArray(value) ? value.map((one: unknown) => this.#handedOut(one)) : this.#handedOut(value);
    } catch (error) {
      if (this.#alive) throw error;
    }
    return new Promise(() => {});
  }

  #handedOut(value: unknown): unknown {
    return typeof value === 'object' && value !== null && hasMethods(value) ? this.view(value) : value;
  }
}

/** Calls that answer at once by contract; what they start calls back to nobody. */
const harmless = new Set(['now', 'monotonic', 'after', 'cancel']);

const hasMethods = (value: object): boolean => 'thaw' in value || 'run' in value || 'read' in value || 'onOutput' in value || 'cancel' in value;

const isGroup = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Set) && !(value instanceof Map) && !ArrayBuffer.isView(value);

// SPDX-License-Identifier: Apache-2.0
/** One agent's life: once it is over, none of its calls has an effect and no answer to one arrives. */
export class Life {
  #alive = true;

  end(): void {
    this.#alive = false;
  }

  /** A port, and whatever objects it hands out, as used by this life. */
  lead<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof member === 'function') return (...rest: unknown[]) => this.#call(target, member, rest);
        return member instanceof Promise ? this.#answer(member) : member;
      },
    });
  }

  // oxlint-disable-next-line typescript/no-unsafe-function-type -- any method of any port goes through here
  #call(target: object, method: Function, rest: readonly unknown[]): unknown {
    if (!this.#alive) return new Promise(() => {});
    const answer: unknown = Reflect.apply(method, target, rest);
    return answer instanceof Promise ? this.#answer(answer) : answer;
  }

  async #answer(promise: Promise<unknown>): Promise<unknown> {
    try {
      const value = await promise;
      if (!this.#alive) return await new Promise(() => {});
      if (Array.isArray(value)) return value.map((one: unknown) => this.#handOut(one));
      return this.#handOut(value);
    } catch (error) {
      if (!this.#alive) return new Promise(() => {});
      throw error;
    }
  }

  #handOut(value: unknown): unknown {
    return typeof value === 'object' && value !== null && ('thaw' in value || 'run' in value) ? this.lead(value) : value;
  }
}

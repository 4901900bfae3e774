// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError, type PosixCode } from '../../core/errors/posix-errno.ts';
import type { FakeClock } from './clock.ts';

/** What goes wrong, where and how often. */
export interface FaultRule {
  /** Dotted name of the port or group: `fileSystem.files`, `fileSystem.files.openFile`, `power.shutdown`, `kernel`. */
  readonly port: string;
  readonly method: string;
  /** How many calls are hit; default 1, `Infinity` for all. */
  readonly times?: number;
  /** How many matching calls pass before the first is hit; default 0. */
  readonly skip?: number;
  /** Only calls about this: a path, a mount point, a user, a hook's name. */
  readonly on?: string;
  /** The call fails: an errno, or any error, instead of doing anything. */
  readonly error?: PosixCode | Error;
  /** The call does not answer until `release`; then it goes on (or fails, where `error` is given). */
  readonly hang?: boolean;
  /** The call waits for so long on the machine's clock first. */
  readonly delayMs?: number;
}

export interface Fault {
  /** How many calls were hit so far. */
  readonly hits: number;
  /** Calls that hang at this moment. */
  readonly hanging: number;
  /** Lets hanging calls go on, and ends the fault. */
  release(): void;
  /** Ends the fault; hanging calls go on hanging. */
  remove(): void;
}

/** Methods that answer at once by contract: nothing can hang there, and a fault would be one of the machine. */
const neverHit = new Set(['now', 'monotonic', 'after', 'onOutput', 'kill', 'cancel']);

/** Objects that a port hands out and that are ports of their own, by the call that answers them. */
const handedOut: Readonly<Record<string, { readonly name: string; readonly methods: readonly string[] }>> = {
  'fileSystem.files.open': { name: 'openFile', methods: ['read', 'write', 'seek', 'flush', 'close'] },
  'fileSystem.freezing.begin': { name: 'session', methods: ['flush', 'freeze', 'thaw'] },
  'fileSystem.freezing.recover': { name: 'session', methods: ['flush', 'freeze', 'thaw'] },
  'hooks.list': { name: 'hook', methods: ['run'] },
  'generation.hooks': { name: 'hook', methods: ['run'] },
  'clock.references.list': { name: 'reference', methods: ['read'] },
};

/** System calls below the ports, where one file system is to fail and not the whole port call. */
const kernelCalls = ['fifreeze', 'fithaw', 'fitrim', 'openMountPoint', 'statfs', 'syncfs'];

class ActiveFault implements Fault {
  readonly rule: FaultRule;
  readonly #active: Set<ActiveFault>;
  readonly #waiting = new Set<() => void>();
  #passed = 0;
  hits = 0;

  constructor(rule: FaultRule, active: Set<ActiveFault>) {
    this.rule = rule;
    this.#active = active;
  }

  get hanging(): number {
    return this.#waiting.size;
  }

  /** Whether this call is one that the fault hits. */
  takes(port: string, method: string, subject: string | undefined): boolean {
    const { rule } = this;
    if (rule.port !== port || rule.method !== method || (rule.on !== undefined && rule.on !== subject)) return false;
    if (this.#passed < (rule.skip ?? 0)) {
      this.#passed += 1;
      return false;
    }
    this.hits += 1;
    if (this.hits >= (rule.times ?? 1)) this.remove();
    return true;
  }

  hang(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.add(resolve));
  }

  release(): void {
    this.remove();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  remove(): void {
    this.#active.delete(this);
  }
}

/** Makes the machine fail on request, at every call of every port. */
export class Faults {
  readonly #clock: FakeClock;
  readonly #active = new Set<ActiveFault>();
  readonly #known = new Set<string>(kernelCalls.map((call) => `kernel.${call}`));
  readonly #calls: string[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** Every call that can be made to fail. */
  get known(): readonly string[] {
    return [...this.#known].toSorted();
  }

  /** @throws Error for a call that no port of this machine has; it lists those that there are */
  inject(rule: FaultRule): Fault {
    if (!this.#known.has(`${rule.port}.${rule.method}`)) {
      throw new Error(`no port of this machine has the call '${rule.port}.${rule.method}'; it has ${this.known.join(', ')}`);
    }
    if (rule.error === undefined && rule.hang !== true && rule.delayMs === undefined) {
      throw new Error("a fault needs at least one of 'error', 'hang' and 'delayMs'");
    }
    const fault = new ActiveFault(rule, this.#active);
    this.#active.add(fault);
    return fault;
  }

  /** Ends every fault and lets everything that hangs go on. */
  clear(): void {
    for (const fault of this.#active) fault.release();
  }

  /** The latest 1000 port calls, oldest first: `fileSystem.files.open /etc/hostname`. */
  get calls(): readonly string[] {
    return this.#calls;
  }

  /**
   * Asks whether a call is hit. Answers nothing when it is not (the call can go on at once), a promise when it has to
   * wait, and throws when it fails at once.
   */
  pass(port: string, method: string, subject?: string): void | Promise<void> {
    for (const fault of this.#active) {
      if (fault.takes(port, method, subject)) return this.#hit(fault, method, subject);
    }
  }

  #hit(fault: ActiveFault, method: string, subject: string | undefined): void | Promise<void> {
    const { error, hang, delayMs } = fault.rule;
    const fail = (): void => {
      if (error instanceof Error || AgentError.is(error)) throw error;
      if (error !== undefined) throw posixError(error, { syscall: method, ...(subject === undefined ? {} : { path: subject }) });
    };
    if (hang !== true && delayMs === undefined) return fail();
    const wait = async (): Promise<void> => {
      if (delayMs !== undefined) await this.#clock.sleep(delayMs);
      if (hang === true) await fault.hang();
      fail();
    };
    return wait();
  }

  /**
   * A port whose calls can be hit, groups and handed-out objects included.
   *
   * @param name dotted name under which faults address it
   */
  wrap<T extends object>(port: T, name: string, subject?: string): T {
    this.#learn(port, name);
    return new Proxy(port, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key);
        if (typeof key === 'symbol' || neverHit.has(key)) {
          return typeof member === 'function' ? (...rest: unknown[]): unknown => Reflect.apply(member, target, rest) : member;
        }
        if (typeof member === 'function') return this.#guarded(target, member, name, key, subject);
        return isGroup(member) ? this.wrap(member, `${name}.${key}`) : member;
      },
    });
  }

  // oxlint-disable-next-line typescript/no-unsafe-function-type -- any method of any port goes through here
  #guarded(target: object, method: Function, port: string, name: string, owner: string | undefined) {
    return (...rest: unknown[]): unknown => {
      const subject = owner ?? (typeof rest[0] === 'string' ? rest[0] : undefined);
      this.#note(port, name, subject);
      const go = (): unknown => this.#handOut(Reflect.apply(method, target, rest), `${port}.${name}`, subject);
      const passed = this.pass(port, name, subject);
      return passed === undefined ? go() : passed.then(go);
    };
  }

  #note(port: string, method: string, subject: string | undefined): void {
    this.#calls.push(subject === undefined ? `${port}.${method}` : `${port}.${method} ${subject}`);
    if (this.#calls.length > 1000) this.#calls.shift();
  }

  /** Wraps what a call answers, where that is a port of its own. */
  #handOut(answer: unknown, call: string, subject: string | undefined): unknown {
    const kind = handedOut[call];
    if (kind === undefined) return answer;
    const name = `${call.slice(0, call.lastIndexOf('.'))}.${kind.name}`;
    const wrapOne = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value;
      const own = 'name' in value && typeof value.name === 'string' ? value.name : subject;
      return this.wrap(value, name, own);
    };
    const wrapAll = (value: unknown): unknown => (Array.isArray(value) ? value.map(wrapOne) : wrapOne(value));
    return answer instanceof Promise ? answer.then(wrapAll) : wrapAll(answer);
  }

  #learn(port: object, name: string): void {
    for (const key of memberNames(port)) {
      const member: unknown = Reflect.get(port, key);
      if (isGroup(member)) this.#learn(member, `${name}.${key}`);
      if (typeof member !== 'function' || neverHit.has(key)) continue;
      this.#known.add(`${name}.${key}`);
      const kind = handedOut[`${name}.${key}`];
      for (const method of kind?.methods ?? []) this.#known.add(`${name}.${kind?.name}.${method}`);
    }
  }
}

/** Members of a plain object or of a class's instance. */
const memberNames = (port: object): string[] => {
  const prototype: unknown = Object.getPrototypeOf(port);
  const inherited = typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype ? Object.getOwnPropertyNames(prototype) : [];
  return [...Object.keys(port), ...inherited].filter((key) => key !== 'constructor');
};

/** A capability group inside a port: a plain object that has methods of its own, or groups that have. */
const isGroup = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) &&
  Object.getPrototypeOf(value) === Object.prototype &&
  Object.values(value).some((member) => typeof member === 'function' || isGroup(member));

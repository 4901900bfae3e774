// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

/** A control group with a limit: of version 2, or of version 1 with the controller's own tree. */
export class ControlGroup {
  readonly #path: string;
  readonly #names: { readonly limit: string; readonly used: string; readonly none: string };

  private constructor(path: string, names: { readonly limit: string; readonly used: string; readonly none: string }) {
    this.#path = path;
    this.#names = names;
  }

  /** @throws Error where this machine lets nobody make one */
  static make(controller: 'pids' | 'memory', root = '/sys/fs/cgroup'): ControlGroup {
    const name = `concierge-test-${process.pid}-${Date.now()}`;
    if (existsSync(`${root}/cgroup.controllers`)) {
      writeFileSync(`${root}/cgroup.subtree_control`, `+${controller}`);
      const path = `${root}/${name}`;
      mkdirSync(path);
      return new ControlGroup(path, { limit: `${controller}.max`, used: `${controller}.current`, none: 'max' });
    }
    const path = `${root}/${controller}/${name}`;
    mkdirSync(path);
    return new ControlGroup(path, controller === 'pids'
      ? { limit: 'pids.max', used: 'pids.current', none: 'max' }
      : { limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', none: '-1' });
  }

  /** Why there can be none here; `undefined` where there can. */
  static problem(controller: 'pids' | 'memory'): string | undefined {
    try {
      this.make(controller).remove();
      return undefined;
    } catch (error) {
      return String(error);
    }
  }

  /** The file to which a process writes its number to join. */
  get members(): string {
    return `${this.#path}/cgroup.procs`;
  }

  /** Leaves so much to it beyond what it uses now. */
  leave(more: number): void {
    const used = Number(readFileSync(`${this.#path}/${this.#names.used}`, 'utf8'));
    writeFileSync(`${this.#path}/${this.#names.limit}`, String(used + more));
  }

  relieve(): void {
    writeFileSync(`${this.#path}/${this.#names.limit}`, this.#names.none);
  }

  /** False while there are processes in it. */
  remove(): boolean {
    try {
      rmdirSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }
}

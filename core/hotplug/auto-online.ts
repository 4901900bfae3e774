// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../errors/agent-error.ts';
import { posixErrorOf } from '../errors/posix-errno.ts';
import type { AddedHardware, Backend, HotplugWatch, Log } from '../ports/index.ts';

export interface AutoOnlineSettings {
  readonly processors: boolean;
  readonly memory: boolean;
  /** Memory that can be taken away again, for which the kernel keeps nothing of its own there. */
  readonly movable: boolean;
}

/** Brings added processors and memory on line, where the distribution leaves them as they come. What is on line stays as it is. */
export class AutoOnline {
  readonly #backend: Backend;
  readonly #log: Log;
  readonly #settings: AutoOnlineSettings;
  #watch: HotplugWatch | undefined;
  #stopped = false;
  /** One after the other: a module of memory is many blocks. */
  #turn: Promise<void> = Promise.resolve();
  #underWay = 0;

  constructor(backend: Backend, log: Log, settings: AutoOnlineSettings) {
    this.#backend = backend;
    this.#log = log;
    this.#settings = settings;
  }

  get isQuiet(): boolean {
    return this.#underWay === 0;
  }

  /** Listens from now on, where there is anything to do. What cannot be heard is logged. Never rejects. */
  async begin(): Promise<void> {
    const { processors, memory } = this.#settings;
    if (!processors && !memory) return;
    try {
      const watch = await this.#backend.hotplug?.watch((added) => this.#added(added));
      if (this.#stopped) watch?.stop();
      else this.#watch = watch;
    } catch (error) {
      this.#log.warning(() => `added processors and memory cannot be heard of: ${messageOf(error)}`);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#watch?.stop();
  }

  #added(added: AddedHardware): void {
    if (added.kind === 'processor' ? !this.#settings.processors : !this.#settings.memory) return;
    this.#underWay += 1;
    this.#turn = this.#turn.then(() => this.#bringOnline(added)).finally(() => {
      this.#underWay -= 1;
    });
  }

  async #bringOnline(added: AddedHardware): Promise<void> {
    const name = added.kind === 'processor' ? `processor ${added.logicalId}` : `memory block ${added.physIndex}`;
    try {
      await (added.kind === 'processor' ? this.#processor(added.logicalId) : this.#memory(added.physIndex));
      this.#log.info(() => `${name} was added and is on line`);
    } catch (error) {
      this.#log.warning(() => `${name} was added and cannot be brought on line: ${messageOf(error)}`);
    }
  }

  async #processor(logicalId: bigint): Promise<void> {
    await this.#backend.processors?.online?.switching?.set(logicalId, true);
  }

  async #memory(physIndex: bigint): Promise<void> {
    const change = await this.#backend.memory?.blocks?.switching?.set(physIndex, true, ...(this.#settings.movable ? (['movable'] as const) : []));
    if (change === undefined || change.response === 'success') return;
    throw AgentError.failed(change.errorCode === undefined ? change.response : posixErrorOf(change.errorCode).message);
  }
}

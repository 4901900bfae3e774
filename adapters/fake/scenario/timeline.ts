// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import { closestName } from '../../../core/errors/closest-name.ts';
import type { HookPhase } from '../../../core/ports/index.ts';
import type { Fault, FaultRule } from '../faults.ts';
import type { FakeMachine } from '../machine.ts';
import { places } from './places.ts';
import { isAnswerFault, type Action, type AnswerFault, type Entry } from './scenario.ts';

/** What of a scenario is not the machine's to do. */
export interface TimelineActors {
  /** The agent is gone at once; the next comes after so many milliseconds, or never. */
  readonly killAgent: (restartMs: number | 'never') => void;
  readonly dropConnections: () => void;
}

const forever = { times: Infinity } as const;

/** Makes what a scenario says happen, at its times and with its commands. */
export class Timeline {
  readonly #machine: FakeMachine;
  readonly #actors: TimelineActors;
  readonly #entries: readonly Entry[];
  readonly #seen = new Map<string, number>();
  readonly #faults: Fault[] = [];

  /** @throws Error for a mount point, hook or call that the machine does not have */
  constructor(entries: readonly Entry[], machine: FakeMachine, actors: TimelineActors) {
    this.#entries = entries;
    this.#machine = machine;
    this.#actors = actors;
    for (const entry of entries) this.#check(entry);
  }

  /** Begins with the machine's time. */
  start(): void {
    for (const entry of this.#entries) {
      if (!('at' in entry)) continue;
      if (entry.at <= 0) this.#act(entry);
      else this.#machine.clock.after(entry.at, () => this.#act(entry));
    }
  }

  /** A request arrives; answers what is to be done to its answer. */
  asked(command: string): AnswerFault | undefined {
    const count = (this.#seen.get(command) ?? 0) + 1;
    this.#seen.set(command, count);
    let fault: AnswerFault | undefined;
    for (const entry of this.#entries) {
      if (!('on' in entry) || entry.on !== command) continue;
      const nth = entry.nth ?? 1;
      if (entry.every === true ? count < nth : count !== nth) continue;
      if (isAnswerFault(entry)) fault = entry;
      else if (entry.after === undefined || entry.after <= 0) this.#act(entry);
      else this.#machine.clock.after(entry.after, () => this.#act(entry));
    }
    return fault;
  }

  /** @throws Error with the place of the entry, where it was read from a file, and what was meant */
  #check(entry: Entry): void {
    try {
      if ('of' in entry) this.#checkMountPoint(entry.of);
      if (entry.do === 'hook-fails' || entry.do === 'hook-hangs') this.#hook(entry.name);
      if (entry.do === 'fault') {
        this.#checkCall(`${entry.port}.${entry.method}`);
        if (entry.error === undefined && entry.hang === undefined && entry.delay === undefined) throw new Error("a fault needs at least one of 'error', 'hang' and 'delay'");
      }
    } catch (error) {
      const place = places.get(entry);
      throw place === undefined ? error : AgentError.failed(`${place}: ${messageOf(error)}`, error);
    }
  }

  #checkMountPoint(of: string): void {
    const { fileSystems } = this.#machine;
    const mountPoints = fileSystems.tree.mounts.map(({ mountPoint }) => mountPoint);
    const meant = mountPoints.includes(of) ? undefined : closestName(of, mountPoints);
    if (meant !== undefined) throw new Error(`nothing is mounted at '${of}': did you mean '${meant}'?`);
    fileSystems.get(of);
  }

  #checkCall(call: string): void {
    const { known } = this.#machine.faults;
    if (known.includes(call)) return;
    const meant = closestName(call, known);
    throw new Error(`no port of this machine has the call '${call}'${meant === undefined ? `; it has ${known.join(', ')}` : `: did you mean '${meant}'?`}`);
  }

  #hook(name: string): number {
    const { installed } = this.#machine.hooks;
    const index = installed.findIndex((hook) => hook.name === name);
    if (index === -1) {
      const names = installed.map((hook) => hook.name);
      const meant = closestName(name, names);
      throw new Error(`the machine has no hook '${name}'${meant === undefined ? `; it has ${names.join(', ') || 'none'}` : `: did you mean '${meant}'?`}`);
    }
    return index;
  }

  #act(action: Action): void {
    const { fileSystems, freezing, clock, generation } = this.#machine;
    switch (action.do) {
      case 'freeze-hangs':
        return this.#kernel('fifreeze', action.of, action.for === undefined ? { hang: true } : { delayMs: action.for });
      case 'freeze-fails':
        return this.#kernel('fifreeze', action.of, { error: action.error ?? 'EIO' });
      case 'thaw-hangs':
        return this.#kernel('fithaw', action.of, action.for === undefined ? { hang: true } : { delayMs: action.for });
      case 'thaw-fails':
        return this.#kernel('fithaw', action.of, { error: action.error ?? 'EIO' });
      case 'dirty': {
        const fileSystem = fileSystems.get(action.of);
        fileSystem.dirtyBytes = action.bytes;
        fileSystem.flushMs = action.flush ?? fileSystem.flushMs;
        return undefined;
      }
      case 'fill':
      case 'free':
        fileSystems.get(action.of).full = action.do === 'fill';
        return undefined;
      case 'freeze-behind':
        return ignored(fileSystems.get(action.of).freeze());
      case 'thaw-behind':
        return ignored(fileSystems.get(action.of).thaw());
      case 'holder-dies':
        return ignored(freezing.endSessions('holder-lost', 'the process that held the freeze was killed'));
      case 'hook-fails':
        return this.#script(action.name, action.phase, { ok: false, output: action.output ?? '' });
      case 'hook-hangs':
        return this.#script(action.name, action.phase, { takesMs: action.for });
      case 'clock-jumps':
        return clock.jump(action.by);
      case 'restored':
        return generation.restored(action.by);
      case 'forked':
        return generation.announce();
      case 'agent-dies':
        return this.#actors.killAgent(action.restart ?? 0);
      case 'connection-drops':
        return this.#actors.dropConnections();
      case 'fault':
        return this.#inject({
          port: action.port,
          method: action.method,
          ...(action.about === undefined ? {} : { on: action.about }),
          ...(action.error === undefined ? {} : { error: action.error }),
          ...(action.hang === undefined ? {} : { hang: action.hang }),
          ...(action.delay === undefined ? {} : { delayMs: action.delay }),
          ...(action.times === undefined ? {} : { times: action.times === 'always' ? Infinity : action.times }),
        });
      case 'release':
        this.#faults.splice(0).forEach((fault) => fault.release());
        return undefined;
      case 'answer-lost':
      case 'answer-late':
      case 'answer-cut':
      case 'answer-garbled':
        // Done to the answer itself, see `asked`.
        return undefined;
      default:
        return action satisfies never;
    }
  }

  #kernel(method: string, on: string, what: Pick<FaultRule, 'hang' | 'delayMs' | 'error'>): void {
    this.#inject({ port: 'kernel', method, on, ...('error' in what ? forever : {}), ...what });
  }

  #inject(rule: FaultRule): void {
    this.#faults.push(this.#machine.faults.inject(rule));
  }

  #script(name: string, phase: HookPhase | undefined, script: object): void {
    const { installed } = this.#machine.hooks;
    const index = this.#hook(name);
    const hook = installed[index];
    if (hook !== undefined) installed[index] = { ...hook, phases: { ...hook.phases, [phase ?? 'freeze']: script } };
  }
}

/** What the machine refuses (a file system that is frozen already) is no fault of the scenario. */
function ignored(promise: Promise<unknown>): void {
  void promise.catch(() => undefined);
}

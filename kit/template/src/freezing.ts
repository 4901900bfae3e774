import { AgentError, type Clock, type FreezeEnd, type FreezeOutcome, type FreezeRequest, type FreezeSession, type FreezeTarget, type Freezing, type ThawOutcome, type Timer } from 'concierge-ga/kit';

/** A file system of this example: it lives in memory and only knows whether it is frozen. */
export interface Volume {
  readonly id: string;
  readonly mountPoint: string;
  frozen: boolean;
}

/**
 * Freezing as an example, on volumes in memory: put your system's calls where `frozen` is set. `src/index.ts` does not bring it, because
 * a host must not be told that something is frozen which is not. Bring it, and add 'fileSystem.freezing' to `capabilities`, once it
 * freezes for real.
 */
export function memoryFreezing(volumes: readonly Volume[], clock: Clock): Freezing {
  const sessions = new Map<string, MemorySession>();
  return {
    survey: async () => volumes.map(({ id, mountPoint }) => ({ id, mountPoints: [mountPoint], type: 'memory', source: id, readOnly: false, backing: [] })),
    async begin(request) {
      const session = new MemorySession(request, volumes, clock, `${sessions.size}`);
      sessions.set(session.name, session);
      return session;
    },
    // A system that holds the freeze for a dead agent finds it again here. This one forgets with the process.
    recover: async ({ recoveryData }) => sessions.get(recoveryData['session'] ?? ''),
    thawEverything: async (only, except) =>
      volumes
        .filter(({ id }) => only?.some((target) => target.id === id) ?? true)
        .filter(({ id }) => except?.has(id) !== true)
        .map((volume) => thawed(volume, clock)),
  };
}

function thawed(volume: Volume, clock: Clock): ThawOutcome {
  const { id, mountPoint, frozen } = volume;
  volume.frozen = false;
  return { id, mountPoint, thawed: frozen, ...(frozen ? { thawedAt: clock.now() } : {}) };
}

class MemorySession implements FreezeSession {
  readonly name: string;
  readonly recoveryData: Readonly<Record<string, string>>;
  readonly ended: Promise<FreezeEnd>;
  readonly #end: (end: FreezeEnd) => void;
  readonly #request: FreezeRequest;
  readonly #volumes: readonly Volume[];
  readonly #clock: Clock;
  readonly #frozen: Volume[] = [];
  #deadline: Timer | undefined;
  #outcomes: readonly ThawOutcome[] | undefined;

  constructor(request: FreezeRequest, volumes: readonly Volume[], clock: Clock, name: string) {
    this.#request = request;
    this.#volumes = volumes;
    this.#clock = clock;
    this.name = name;
    this.recoveryData = { session: name };
    const { promise, resolve } = Promise.withResolvers<FreezeEnd>();
    this.ended = promise;
    this.#end = resolve;
    for (const target of request.levels.flat()) this.#volume(target);
  }

  async flush(): Promise<void> {}

  async freeze(): Promise<readonly FreezeOutcome[]> {
    // The deadline counts from the first freeze, and belongs to whoever would outlive a stuck agent.
    if (this.#request.deadlineMs > 0) this.#deadline = this.#clock.after(this.#request.deadlineMs, () => this.#expire());
    return this.#request.levels.flat().map((target) => {
      const { id, mountPoint } = target;
      const volume = this.#volume(target);
      if (volume.frozen) return { id, mountPoint, result: 'busy' };
      volume.frozen = true;
      this.#frozen.push(volume);
      return { id, mountPoint, result: 'frozen', frozenAt: this.#clock.now(), flushNs: 0n, freezeNs: 0n };
    });
  }

  async thaw(): Promise<readonly ThawOutcome[]> {
    return this.#thawAll();
  }

  #thawAll(): readonly ThawOutcome[] {
    this.#deadline?.cancel();
    return (this.#outcomes ??= this.#frozen.toReversed().map((volume) => thawed(volume, this.#clock)));
  }

  #expire(): void {
    this.#end({ reason: 'deadline', detail: `nobody thawed within ${this.#request.deadlineMs} ms`, at: this.#clock.now(), thawed: this.#thawAll() });
  }

  #volume({ id, mountPoint }: FreezeTarget): Volume {
    const volume = this.#volumes.find((one) => one.id === id);
    if (volume === undefined) throw AgentError.failed(`failed to open ${mountPoint}: there is no volume ${id}`);
    return volume;
  }
}

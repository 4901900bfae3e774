import { handlers } from '../../../../core/commands/index.ts';
import { PreparedAnswer, type CommandContext } from '../../../../core/commands/command.ts';
import { AgentError } from '../../../../core/errors/agent-error.ts';
import type { Backend, Clock, Log, StateStore } from '../../../../core/ports/index.ts';
import type { JsonObject, JsonValue } from '../../../../core/protocol/value.ts';
import { encodeResult } from '../../../../core/schema/encode.ts';
import { validateArguments } from '../../../../core/schema/validate.ts';
import { FileHandleTable } from '../../../../core/state/file-handles.ts';
import { ProcessTable } from '../../../../core/state/processes.ts';

/** A clock that a test moves by hand. */
export class ManualClock implements Clock {
  wall = 1_700_000_000_123_456_789n;
  elapsed = 0n;
  readonly #timers = new Set<{ readonly at: bigint; readonly callback: () => void }>();
  readonly setting?: NonNullable<Clock['setting']>;

  constructor(setting?: NonNullable<Clock['setting']>) {
    if (setting !== undefined) this.setting = setting;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  now(): bigint {
    return this.wall;
  }

  monotonic(): bigint {
    return this.elapsed;
  }

  after(ms: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.elapsed + BigInt(Math.ceil(ms)) * 1_000_000n, callback };
    this.#timers.add(timer);
    return { cancel: () => { this.#timers.delete(timer); } };
  }

  advance(ms: number): void {
    this.elapsed += BigInt(ms) * 1_000_000n;
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.elapsed)) {
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}

export class RecordingLog implements Log {
  readonly lines: string[] = [];
  readonly #say = (level: string) => (line: string | (() => string)): void => {
    this.lines.push(`${level}: ${typeof line === 'string' ? line : line()}`);
  };

  readonly error = this.#say('error');
  readonly warning = this.#say('warning');
  readonly info = this.#say('info');
  readonly debug = this.#say('debug');
  readonly account = this.#say('account');
  readonly hold = (): Promise<void> => Promise.resolve();
  readonly release = (): void => undefined;
}

/** Hands out handle numbers from 1000 on, like a fresh state directory. */
export const handleStore = (): Pick<StateStore, 'reserveHandles'> & { readonly reservations: number[] } => {
  const reservations: number[] = [];
  let next = 1000n;
  return {
    reservations,
    reserveHandles: (count) => {
      reservations.push(count);
      const first = next;
      next += BigInt(count);
      return Promise.resolve(first);
    },
  };
};

export interface TestContext extends CommandContext {
  readonly log: RecordingLog;
}

export function contextOf(backend: Partial<Backend>, extra: Partial<CommandContext> = {}): TestContext {
  const clock = backend.clock ?? new ManualClock();
  return {
    backend: { ...backend, clock },
    files: new FileHandleTable(backend.fileSystem?.files, handleStore()),
    processes: new ProcessTable(backend.processes, clock),
    freeze: undefined,
    catalog: { version: '10.2.0', list: () => handlers.map(({ schema }) => ({ schema, enabled: true })) },
    ...extra,
    log: new RecordingLog(),
  };
}

/** JSON as the decoder of the protocol gives it: exact integers, objects as maps. */
const decoded = (text: string): JsonValue =>
  JSON.parse(text, (_key, value: unknown, source?: { source?: string }) => {
    if (typeof value === 'number') return /^-?\d+$/.test(source?.source ?? '') ? BigInt(source?.source ?? '') : value;
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)) {
      return new Map(Object.entries(value));
    }
    return value;
  }) as JsonValue;

/** What a host gets for a command, as text: of `return`, or `error: DESC`. */
export async function exchange(context: CommandContext, name: string, args = '{}'): Promise<string> {
  const found = handlers.find(({ schema }) => schema.name === name);
  if (found === undefined) throw new Error(`no handler for ${name}`);
  try {
    const result = await found.run(context, validateArguments(found.schema.arguments, decoded(args) as JsonObject));
    if (!(result instanceof PreparedAnswer)) return encodeResult(found.schema.result, result, name);
    return (await piecesOf(result)).join('');
  } catch (error) {
    if (!AgentError.is(error)) throw error;
    return `error: ${error.message}`;
  }
}

export async function piecesOf({ pieces }: PreparedAnswer): Promise<string[]> {
  if (typeof pieces === 'string') return [pieces];
  if (pieces instanceof Uint8Array) return [Buffer.from(pieces).toString('latin1')];
  const all: string[] = [];
  for await (const piece of pieces) all.push(Buffer.from(piece).toString('latin1'));
  return all;
}

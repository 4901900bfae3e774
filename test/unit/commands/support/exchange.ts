// SPDX-License-Identifier: Apache-2.0
import type { MachineDescription } from '../../../../adapters/fake/description.ts';
import { FakeLog } from '../../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../../adapters/fake/state-store.ts';
import { nobody } from '../../../../core/state/caller.ts';
import { handlers } from '../../../../core/commands/index.ts';
import { type AnswerPiece, PreparedAnswer, type CommandContext } from '../../../../core/commands/command.ts';
import { AgentError } from '../../../../core/errors/agent-error.ts';
import { GenerationController } from '../../../../core/generation/controller.ts';
import type { Backend } from '../../../../core/ports/index.ts';
import type { JsonObject, JsonValue } from '../../../../core/protocol/value.ts';
import { encodeResult } from '../../../../core/schema/encode.ts';
import { validateArguments } from '../../../../core/schema/validate.ts';
import { FileHandleTable } from '../../../../core/state/file-handles.ts';
import { ProcessTable } from '../../../../core/state/processes.ts';
import { ProgramTable } from '../../../../core/state/programs.ts';

export interface TestContext extends CommandContext {
  readonly log: FakeLog;
}

/** What an agent gives its handlers, on any backend; `Partial` for a double of one port. */
export function contextOf(ports: Partial<Backend>, extra: Partial<CommandContext> = {}): TestContext {
  const backend: Backend = { ...ports, clock: ports.clock ?? createFakeMachine().backend.clock };
  return {
    channel: '',
    load: { underWay: 0 },
    backend,
    files: new FileHandleTable(backend.fileSystem?.files, new FakeStateStore()),
    processes: new ProcessTable(backend.processes, backend.clock),
    programs: new ProgramTable(backend.clock, () => undefined),
    freeze: undefined,
    generation: new GenerationController({ backend, log: new FakeLog(), freeze: undefined, settings: { limitMs: 1000 }, dropConnections: () => 0, stirred: () => undefined }),
    catalog: { version: '11.1.0', list: () => handlers.map(({ schema }) => ({ schema, enabled: true })) },
    ...extra,
    log: new FakeLog(),
  };
}

/** A guest in memory and a host that asks it. */
export function guest(description: Partial<MachineDescription> = {}) {
  const machine = createFakeMachine(description);
  const context = contextOf(machine.backend);
  return {
    machine,
    context,
    log: context.log,
    ask: (name: string, args: string | object = '{}') =>
      exchange(context, name, typeof args === 'string' ? args : JSON.stringify(args)),
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
export const exchange = (context: CommandContext, name: string, args = '{}', caller = nobody): Promise<string> =>
  exchangeDecoded(context, name, decoded(args) as JsonObject, caller);

export async function exchangeDecoded(context: CommandContext, name: string, args: JsonObject, caller = nobody): Promise<string> {
  const found = handlers.find(({ schema }) => schema.name === name);
  if (found === undefined) throw new Error(`no handler for ${name}`);
  try {
    const result = await found.run(context, validateArguments(found.schema.arguments, args), caller);
    if (!(result instanceof PreparedAnswer)) return encodeResult(found.schema.result, result, name);
    return (await piecesOf(result)).join('');
  } catch (error) {
    if (!AgentError.is(error)) throw error;
    return `error: ${error.message}`;
  }
}

const textOf = (piece: AnswerPiece): string => (piece instanceof Uint8Array ? Buffer.from(piece).toString('latin1') : String(piece));

export async function piecesOf({ pieces }: PreparedAnswer): Promise<string[]> {
  if (typeof pieces === 'string' || !(Symbol.asyncIterator in pieces)) return [textOf(pieces)];
  const all: string[] = [];
  for await (const piece of pieces) all.push(textOf(piece));
  return all;
}

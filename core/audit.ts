// SPDX-License-Identifier: Apache-2.0
import { osCode } from './errors/agent-error.ts';
import type { Audit, AuditEntry, Clock, Peer } from './ports/index.ts';
import type { CommandSchema } from './schema/command.ts';
import type { Members, SchemaType } from './schema/types.ts';

/** Characters of one text, and elements of one list, that are recorded. */
export const MAX_RECORDED_TEXT = 1024;
export const MAX_RECORDED_LIST = 64;

/** Whether a command that is allowed is recorded: what changes something. A refusal always is. */
export const isAudited = ({ group, onlyAsks }: CommandSchema): boolean => group !== 'observe' && onlyAsks !== true;

/** One request on its way: what becomes known of it. */
export class AuditNote {
  readonly #audit: Audit;
  readonly #clock: Clock;
  readonly #schema: CommandSchema;
  readonly #channel: string;
  readonly #peer: Peer | undefined;
  readonly #at: bigint;
  readonly #began: bigint;
  #arguments: Pick<AuditEntry, 'arguments' | 'withheld'> = {};
  #rule: string | undefined;
  #isRefused = false;

  constructor(audit: Audit, clock: Clock, schema: CommandSchema, channel: string, peer?: Peer) {
    this.#audit = audit;
    this.#clock = clock;
    this.#schema = schema;
    this.#channel = channel;
    this.#peer = peer;
    this.#at = clock.now();
    this.#began = clock.monotonic();
  }

  /** They have been validated. */
  given(args: Readonly<Record<string, unknown>>): void {
    this.#arguments = recordedArguments(this.#schema.arguments, args);
  }

  decidedBy(rule: string | undefined): void {
    this.#rule = rule;
  }

  refusedBy(rule: string | undefined): void {
    this.#rule = rule;
    this.#isRefused = true;
  }

  done(): void {
    if (isAudited(this.#schema)) this.#record('done');
  }

  failed(error: unknown): void {
    if (this.#isRefused) this.#record('refused');
    else if (isAudited(this.#schema)) this.#record('failed', osCode(error));
  }

  #record(result: AuditEntry['result'], code?: string): void {
    this.#audit.record({
      at: this.#at,
      channel: this.#channel,
      ...(this.#peer !== undefined && { peer: this.#peer }),
      command: this.#schema.name,
      ...this.#arguments,
      ...(this.#rule !== undefined && { rule: this.#rule }),
      result,
      ...(code !== undefined && { code }),
      microseconds: Number((this.#clock.monotonic() - this.#began) / 1000n),
    });
  }
}

const WITHHELD = Symbol('withheld');

/** Arguments as they may be written down: numbers, switches and words of the schema, and text that is marked as no secret. */
export function recordedArguments(members: Members, args: Readonly<Record<string, unknown>>): Pick<AuditEntry, 'arguments' | 'withheld'> {
  const recorded: Record<string, unknown> = {};
  const withheld: string[] = [];
  for (const [name, { type, shown }] of Object.entries(members)) {
    if (args[name] === undefined) continue;
    const value = recordedValue(type, args[name], shown === true);
    if (value === WITHHELD) withheld.push(name);
    else recorded[name] = value;
  }
  return { arguments: recorded, ...(withheld.length > 0 && { withheld }) };
}

function recordedValue(type: SchemaType, value: unknown, shown: boolean): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (type.kind === 'list') {
    const elements = (value as readonly unknown[]).slice(0, MAX_RECORDED_LIST).map((element) => recordedValue(type.of, element, shown));
    return elements.includes(WITHHELD) ? WITHHELD : elements;
  }
  if (type.kind === 'struct') return recordedArguments(type.members, value as Readonly<Record<string, unknown>>).arguments;
  if (type.kind !== 'str') return value;
  return shown ? (value as string).slice(0, MAX_RECORDED_TEXT) : WITHHELD;
}

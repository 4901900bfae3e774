// SPDX-License-Identifier: Apache-2.0
import { type Caller, nobody } from './state/caller.ts';
import { AuditNote } from './audit.ts';
import { hasCapability } from './ports/capabilities.ts';
import { type Admission, PreparedAnswer, type CommandCatalog, type CommandContext, type CommandHandler } from './commands/command.ts';
import { AgentError } from './errors/agent-error.ts';
import { type Facts, factsOf } from './policy/facts.ts';
import { type Decision, type Policy, type Refused, toldToHost, whyRefused } from './policy/policy.ts';
import type { Audit, Backend, Clock, Log, Ready } from './ports/index.ts';
import type { Request } from './protocol/request.ts';
import type { CommandSchema, ResultOf } from './schema/command.ts';
import { encodeResult } from './schema/encode.ts';
import { validateArguments } from './schema/validate.ts';

/** What a request comes to: nothing at all, text of the `return` value, or an answer that the handler prepared. */
export interface Outcome {
  readonly schema: CommandSchema;
  readonly returned: string | PreparedAnswer | undefined;
  /** To be called instead of sending `returned`, where nobody is left to send it to. */
  readonly unheard?: () => void;
}

/**
 * Requests of one channel that may be under way. A host that gives one up makes room for the next host, and what it asked for may hang:
 * on a dead disk they would pile up.
 */
export const MAX_UNDER_WAY = 256;

/** How far a freeze keeps commands away that could touch a disk. */
export interface FreezeGate {
  /** They are refused. */
  readonly isFrozen: boolean;
  /** They wait for this, which never rejects. */
  readonly thawing: Promise<void> | undefined;
}

/** The commands of this machine: a handler whose port the backend lacks is not among them. */
export class Dispatcher implements CommandCatalog {
  readonly version: string;
  /** Names of arguments that are base64: the decoder decodes them as they come. */
  readonly base64Members: ReadonlySet<string>;
  readonly #handlers: ReadonlyMap<string, CommandHandler>;
  #policy: Policy;
  readonly #freeze: FreezeGate | undefined;
  readonly #log: Log;
  readonly #audit: Audit | undefined;
  readonly #clock: Clock;
  /** Refusals that were logged: as many as there are commands and rules. */
  readonly #told = new Set<string>();

  constructor(options: {
    version: string;
    backend: Backend;
    handlers: readonly CommandHandler[];
    policy: Policy;
    freeze: FreezeGate | undefined;
    log: Log;
    audit?: Audit;
  }) {
    this.version = options.version;
    this.#policy = options.policy;
    this.#freeze = options.freeze;
    this.#log = options.log;
    this.#audit = options.audit;
    this.#clock = options.backend.clock;
    this.#handlers = new Map(
      options.handlers
        .filter(({ schema }) => schema.needs === undefined || hasCapability(options.backend, schema.needs))
        .map((handler) => [handler.schema.name, handler]),
    );
    this.base64Members = new Set(
      Array.from(this.#handlers.values()).flatMap(({ schema }) =>
        Object.entries(schema.arguments).flatMap(([name, { type }]) => (type.kind === 'str' && type.base64 === true ? [name] : [])),
      ),
    );
  }

  get #isFrozen(): boolean {
    return this.#freeze?.isFrozen ?? false;
  }

  /** From now on, for what has not been judged yet. */
  usePolicy(policy: Policy): void {
    this.#policy = policy;
  }

  list(channel: string): readonly { readonly schema: CommandSchema; readonly enabled: boolean }[] {
    const frozen = this.#isFrozen;
    return Array.from(this.#handlers.values(), ({ schema }) => ({ schema, enabled: this.#policy.outlook(schema, frozen, channel).kind !== 'refused' }));
  }

  /**
   * Existence, policy, arguments, execution: in this order, so that a disabled command is reported as disabled whatever
   * its arguments are, and nothing is done before everything is known to be right.
   *
   * @throws AgentError (also as a rejection) with the class and text for the host
   */
  dispatch(request: Request, context: CommandContext, caller: Caller = nobody): Ready<Outcome> {
    const handler = this.#handlers.get(request.execute);
    if (handler === undefined) {
      throw new AgentError('command-not-found', `The command ${request.execute} has not been found`);
    }
    const { schema } = handler;
    const thawing = schema.whileFrozen ? undefined : this.#freeze?.thawing;
    if (thawing !== undefined) return this.#afterThaw(thawing, request, context, caller);
    if (this.#audit === undefined) return this.#carryOut(handler, request, context, caller);
    return noted(new AuditNote(this.#audit, this.#clock, schema, context.channel, caller.peer), (note) => this.#carryOut(handler, request, context, caller, note));
  }

  #carryOut(handler: CommandHandler, request: Request, context: CommandContext, caller: Caller, note?: AuditNote): Ready<Outcome> {
    const { schema } = handler;
    const { kind, verdict } = this.#policy.outlook(schema, this.#isFrozen, context.channel);
    if (kind === 'refused') throw this.#refusal(schema, verdict, note);
    note?.decidedBy(verdict.rule?.name);
    const args = validateArguments(schema.arguments, request.args);
    note?.given(args);
    // What may be called while frozen is what a host needs to find out and to thaw.
    if (!schema.whileFrozen) demandRoom(context);
    const admitted = kind === 'depends' ? this.#admit(schema, args, context, note) : context;
    const result = admitted instanceof Promise ? admitted.then((judged) => handler.run(judged, args, caller)) : handler.run(admitted, args, caller);
    return result instanceof Promise ? this.#whenDone(handler, result, context) : outcome(schema, result);
  }

  /** Judges the arguments; what is opened for them is judged then, by the policy that is in force now. */
  #admit(schema: CommandSchema, args: Readonly<Record<string, unknown>>, context: CommandContext, note: AuditNote | undefined): Ready<CommandContext> {
    const policy = this.#policy;
    const facts = factsOf(schema, args);
    const decision = policy.judge(schema, context.channel, facts);
    if (decision.kind !== 'unopened' || decision.what !== 'groups') return this.#admitWith(policy, decision, facts, schema, context, note);
    return groupsOf(context.backend, facts.user as string).then((userGroups) => {
      // A freeze may have begun meanwhile.
      const { kind, verdict } = policy.outlook(schema, this.#isFrozen, context.channel);
      if (kind === 'refused') throw this.#refusal(schema, verdict, note);
      const known = { ...facts, userGroups };
      return this.#admitWith(policy, policy.judge(schema, context.channel, known), known, schema, context, note);
    });
  }

  #admitWith(policy: Policy, decision: Decision, facts: Facts, schema: CommandSchema, context: CommandContext, note: AuditNote | undefined): CommandContext {
    if (decision.kind === 'refused') throw this.#refusal(schema, decision, note);
    note?.decidedBy(decision.rule?.name);
    if (decision.kind === 'allowed') return context;
    const admission: Admission = (fact) => {
      const verdict = policy.judge(schema, context.channel, { ...facts, ...fact });
      if (verdict.kind !== 'allowed') throw this.#refusal(schema, verdict, note);
      note?.decidedBy(verdict.rule?.name);
    };
    return { ...context, admission };
  }

  /** The class and the first words are those of qemu-ga. */
  #refusal(schema: CommandSchema, refused: Pick<Refused, 'rule'>, note: AuditNote | undefined): AgentError {
    note?.refusedBy(refused.rule?.name);
    this.#tellRefusal(`refused ${schema.name}: ${whyRefused(refused, schema)}`);
    return new AgentError('command-not-found', `Command ${schema.name} has been disabled: the command is not allowed${toldToHost(refused)}`);
  }

  /** As if it had come after the thaw. */
  async #afterThaw(thawing: Promise<void>, request: Request, context: CommandContext, caller: Caller): Promise<Outcome> {
    demandRoom(context);
    context.load.underWay += 1;
    await thawing;
    context.load.underWay -= 1;
    return this.dispatch(request, context, caller);
  }

  /** Once each as a warning, for the host is told no rule; again and again only for those who want to see everything. */
  #tellRefusal(line: string): void {
    if (this.#told.has(line)) this.#log.info(line);
    else this.#log.warning(line);
    this.#told.add(line);
  }

  #whenDone(handler: CommandHandler, result: Promise<unknown>, context: CommandContext): Promise<Outcome> {
    const { load } = context;
    load.underWay += 1;
    return result.then(
      (value) => {
        load.underWay -= 1;
        const its = outcome(handler.schema, value);
        if (handler.unheard === undefined) return its;
        // Its `run` has answered `value`.
        return { ...its, unheard: () => handler.unheard?.(context, value as ResultOf<CommandSchema>) };
      },
      (error: unknown) => {
        load.underWay -= 1;
        throw error;
      },
    );
  }
}

/** @throws AgentError, as a rejection, where the system cannot tell: then nothing is allowed and nothing refused by them */
async function groupsOf({ accounts }: Backend, user: string): Promise<readonly string[]> {
  if (accounts?.groups === undefined) throw AgentError.failed('a rule of the policy is about groups of users, and this system cannot tell who is in which');
  return accounts.groups.of(user);
}

function demandRoom({ load }: CommandContext): void {
  if (load.underWay >= MAX_UNDER_WAY) throw AgentError.failed(`${MAX_UNDER_WAY} requests are being worked on already`);
}

/** Tells the note how it ends, once. */
function noted(note: AuditNote, carryOut: (note: AuditNote) => Ready<Outcome>): Ready<Outcome> {
  const failed = (error: unknown): never => {
    note.failed(error);
    throw error;
  };
  const answered = (its: Outcome): Outcome => {
    note.done();
    return its;
  };
  try {
    const its = carryOut(note);
    return its instanceof Promise ? its.then(answered, failed) : answered(its);
  } catch (error) {
    return failed(error);
  }
}

function outcome(schema: CommandSchema, value: unknown): Outcome {
  if (value instanceof PreparedAnswer) return { schema, returned: value };
  if (!schema.successResponse) return { schema, returned: undefined };
  return { schema, returned: encodeResult(schema.result, value, schema.name) };
}

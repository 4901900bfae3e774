// SPDX-License-Identifier: Apache-2.0
import { PresentHost } from './state/caller.ts';
import { messageOf } from './errors/agent-error.ts';
import { type AnswerPiece, Base64Piece, PreparedAnswer, type CommandContext } from './commands/command.ts';
import type { Dispatcher, Outcome } from './dispatch.ts';
import type { Connection, ConnectionSink, Log } from './ports/index.ts';
import type { InputBudget } from './protocol/input-budget.ts';
import { JsonDecoder, type Decoded } from './protocol/json-decoder.ts';
import { parseRequest } from './protocol/request.ts';
import { errorLine, returnLine } from './protocol/response.ts';

/** Who keeps the sessions. */
export interface SessionOwner {
  ended(session: Session): void;
  /** A host has said something, or what it had said has come to an end. */
  stirred(): void;
  /** Another host than before says its first word. */
  hostCame(): void;
  /** Before anything that a host says is looked at. `isFirst`: this may be another host than the one before. */
  requestCame(isFirst: boolean): void;
  /** Another agent is to follow: nothing waits for news. */
  isHurried(): boolean;
  /** While the guest is put right after a restore: nothing is answered before it resolves. It never rejects. */
  settling(): Promise<void> | undefined;
}

/**
 * One host's conversation: one request at a time, answers in order. Nothing of the next request is looked at before the
 * last one is answered, and nothing more is read from the host meanwhile. Sessions know nothing of each other, so a
 * long answer on one delays no ping on another.
 */
export class Session implements ConnectionSink {
  readonly #connection: Connection;
  readonly #dispatcher: Dispatcher;
  readonly #context: CommandContext;
  readonly #log: Log;
  readonly #budget: InputBudget;
  readonly #owner: SessionOwner;
  readonly #decoder: JsonDecoder;
  /** Of the budget, for the request that is coming in or being answered. */
  #share = 0;
  /** What the answer that is being made waits for; no other request is looked at meanwhile. */
  #waiting: Promise<void> | undefined;
  #closed = false;
  /** A host that has said nothing yet, where the guest may have been restored before it came. */
  #isNew = false;
  /** No host was there for a moment: the next word may be that of another one. */
  #wasMissed = false;
  /** Another one when the host changes: what was begun for an earlier one is not sent to this one. */
  #host: PresentHost;
  /** Nothing is read from the host. */
  #paused = false;
  #room: (() => void) | undefined;
  /** Ends the wait for the next piece of a long answer. */
  #gone: (() => void) | undefined;

  constructor(connection: Connection, dispatcher: Dispatcher, context: CommandContext, budget: InputBudget, owner: SessionOwner) {
    this.#connection = connection;
    this.#dispatcher = dispatcher;
    this.#decoder = new JsonDecoder({ base64Members: dispatcher.base64Members });
    this.#context = context;
    this.#log = context.log;
    this.#budget = budget;
    this.#owner = owner;
    this.#host = this.#presentHost();
  }

  start(): void {
    // The host of a port is told of by `hostChanged`.
    this.#isNew = this.endsWithGeneration;
    this.#context.programs.cameBack(this.#host);
    this.#connection.start(this);
  }

  #presentHost(): PresentHost {
    const { peer, keptAs } = this.#connection;
    return new PresentHost(peer, keptAs === undefined ? undefined : `${this.#context.channel}/${keptAs}`);
  }

  /** Another agent is to follow: what waits for news is answered. */
  hurry(): void {
    this.#host.saysMore();
  }

  /** Whether its host is gone when the guest is restored. */
  get endsWithGeneration(): boolean {
    return this.#connection.endsWithGeneration === true;
  }

  /** Whether nothing is half said: no request unfinished, none to be answered, no answer to be handed over. */
  get isQuiet(): boolean {
    return this.#waiting === undefined && this.#decoder.isFresh;
  }

  /** Ends the conversation. A request that is under way goes on; its answer is dropped, and so are those behind it. */
  close(): void {
    this.#forget();
    this.#connection.close();
  }

  data(chunk: Uint8Array): void {
    this.#owner.stirred();
    this.#greet();
    this.#owner.requestCame(this.#wasMissed);
    this.#wasMissed = false;
    this.#decoder.feed(chunk);
    if (this.#waiting === undefined) this.#answerAll();
    else this.#hearMore();
  }

  /** The first word of a host. */
  #greet(): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#owner.hostCame();
  }

  drained(): void {
    this.#room?.();
  }

  hostMissed(): void {
    this.#wasMissed = true;
  }

  hostChanged(seen?: true): void {
    // That it has left is told of, mostly, and not that the next one is here.
    this.#isNew ||= seen === true;
    const host = this.#host;
    this.#host = this.#presentHost();
    const waiting = this.#giveUp();
    this.#forget();
    this.#room?.();
    this.#gone?.();
    host.leave();
    if (waiting) this.#resume();
    this.#owner.stirred();
  }

  closed(): void {
    this.#closed = true;
    if (this.#waiting === undefined) this.#forget();
    this.#room?.();
    this.#gone?.();
    this.#host.leave();
    this.#owner.ended(this);
    this.#owner.stirred();
  }

  /** Answers what has come, until more input is needed or an answer has to be waited for. */
  #answerAll(): void {
    const settling = this.#owner.settling();
    if (settling !== undefined) {
      this.#decoder.retain();
      this.#wait(settling);
      return;
    }
    for (let decoded = this.#next(); decoded !== undefined; decoded = this.#next()) {
      const waiting = this.#answer(decoded);
      if (waiting !== undefined) {
        this.#decoder.retain();
        this.#wait(waiting);
        return;
      }
    }
  }

  #next(): Decoded | undefined {
    const decoded = this.#decoder.next();
    if (decoded !== undefined || this.#weigh()) return decoded;
    this.#log.warning('the unfinished requests of all hosts together are too large: one of them is refused');
    return this.#decoder.refuse();
  }

  #forget(): void {
    this.#decoder.reset();
    this.#weigh();
  }

  /** Takes what the unfinished request weighs from the budget; a request that is worked on keeps its share. */
  #weigh(): boolean {
    const { weight } = this.#decoder;
    if (this.#waiting !== undefined || weight === this.#share) return true;
    if (!this.#budget.change(this.#share, weight)) return false;
    this.#share = weight;
    return true;
  }

  /**
   * What the last host asked for may hang, on a dead disk for ever, and the next one must not wait for it: it goes on by
   * itself, and keeps its share of the budget until it is done. Answers whether there was such a request.
   */
  #giveUp(): boolean {
    const [waiting, share] = [this.#waiting, this.#share];
    if (waiting === undefined) return false;
    this.#waiting = undefined;
    this.#share = 0;
    void waiting.then(() => this.#budget.change(share, 0));
    return true;
  }

  /** More has come while an answer is waited for. One that gives way does so for anything but white space. */
  #hearMore(): void {
    if (this.#host.isAwaited && !this.#decoder.holdsMore) {
      this.#decoder.next();
      return;
    }
    this.#decoder.retain();
    this.#pause();
    this.#host.saysMore();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#connection.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.resume();
  }

  #wait(waiting: Promise<void>): void {
    this.#waiting = waiting;
    if (this.#owner.isHurried()) this.#host.saysMore();
    if (this.#host.isAwaited && !this.#decoder.holdsMore) this.#decoder.next();
    else {
      this.#pause();
      this.#host.saysMore();
    }
    void waiting.then(() => {
      this.#owner.stirred();
      if (this.#waiting !== waiting) return;
      this.#waiting = undefined;
      // Also for a host that has left: what it had asked for is done, and nobody is told.
      this.#answerAll();
      if (this.#waiting !== undefined) return;
      if (this.#closed) this.#forget();
      else this.#resume();
    });
  }

  /** A promise only where something has to be waited for; it never rejects. */
  #answer(decoded: Decoded): Promise<void> | undefined {
    const host = this.#host;
    if (decoded.kind === 'error') return this.#send(errorLine(decoded.desc, undefined), host);
    const { idText } = decoded;
    try {
      const outcome = this.#dispatcher.dispatch(parseRequest(decoded.value), this.#context, host);
      if (!(outcome instanceof Promise)) return this.#deliver(outcome, idText, host);
      return outcome.then(
        (value) => this.#deliver(value, idText, host),
        (error: unknown) => this.#send(errorLine(error, idText), host),
      );
    } catch (error) {
      return this.#send(errorLine(error, idText), host);
    }
  }

  #deliver({ schema, returned, unheard }: Outcome, idText: string | undefined, host: PresentHost): Promise<void> | undefined {
    if (unheard !== undefined && !this.#isCurrent(host)) unheard();
    if (returned === undefined) return undefined;
    if (!(returned instanceof PreparedAnswer)) return this.#send(returnLine(returned, idText, schema.sentinel === true), host);

    const head = '{"return": ';
    const tail = idText === undefined ? '}\n' : `, "id": ${idText}}\n`;
    const { pieces } = returned;
    if (typeof pieces === 'string') return this.#send(head + pieces + tail, host);
    if (pieces instanceof Base64Piece) return this.#send(pieces.within(head, tail), host);
    return this.#stream(head, pieces, tail, host);
  }

  /**
   * Hands over piece by piece, each only when the host has taken enough of those before. A host that goes away ends it at
   * once, also while the next piece is waited for: a read that hangs must not keep the next host waiting.
   */
  async #stream(head: string, pieces: AsyncIterable<AnswerPiece>, tail: string, host: PresentHost): Promise<void> {
    const source = pieces[Symbol.asyncIterator]();
    const { promise: gone, resolve } = Promise.withResolvers<'gone'>();
    const letGo = (): void => resolve('gone');
    this.#gone = letGo;
    try {
      await this.#send(head, host);
      // A host may have gone before its answer began.
      while (this.#isCurrent(host)) {
        const next = await Promise.race([source.next(), gone]);
        if (next === 'gone') return;
        if (next.done === true) break;
        await this.#send(next.value, host);
      }
      await this.#send(tail, host);
    } catch (error) {
      // Half an answer can't be taken back: the connection is of no use to the host any more.
      this.#log.error(() => `an answer broke off: ${messageOf(error)}`);
      if (this.#isCurrent(host)) this.#connection.close();
    } finally {
      // The next host may have a long answer of its own already.
      if (this.#gone === letGo) this.#gone = undefined;
      // The source learns that nobody listens any more; it may be stuck, so nobody waits for it.
      source.return?.()?.catch(() => undefined);
    }
  }

  #isCurrent(host: PresentHost): boolean {
    return host === this.#host && !this.#closed;
  }

  #send(piece: AnswerPiece, host: PresentHost): Promise<void> | undefined {
    const room = !this.#isCurrent(host) || this.#write(piece);
    if (piece instanceof Base64Piece) piece.sent();
    if (room) return undefined;
    return new Promise((resolve) => {
      this.#room = () => {
        this.#room = undefined;
        resolve();
      };
    });
  }

  #write(piece: AnswerPiece): boolean {
    const connection = this.#connection;
    if (!(piece instanceof Base64Piece)) return connection.write(piece);
    return connection.writeBase64?.(piece.before, piece.bytes, piece.after) ?? connection.write(piece.toString());
  }
}

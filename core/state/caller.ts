// SPDX-License-Identifier: Apache-2.0
import type { Peer } from '../ports/index.ts';

/** Who asks: one host, for as long as it is there. */
export interface Caller {
  /** Who it is, where the system tells. */
  readonly peer?: Peer | undefined;
  /** By which the next agent knows its connection again; absent: not at all. */
  readonly connection?: string | undefined;
  /** It has left: its connection is closed, or another host has it now. */
  readonly isGone: boolean;
  /** Calls back once when it leaves. Answers how not to be called any more. */
  whenGone(listener: () => void): () => void;
  /**
   * For an answer that waits for something to happen, said before the handler's first wait: calls back once when the host says
   * something else meanwhile, or leaves. It is not kept waiting then. Answers how not to be called any more.
   */
  giveWay(listener: () => void): () => void;
}

/** One host on one connection, as its session knows it. */
export class PresentHost implements Caller {
  readonly peer: Peer | undefined;
  readonly connection: string | undefined;
  #isGone = false;
  #leaving: Set<() => void> | undefined;
  #waiting: (() => void) | undefined;

  constructor(peer?: Peer, connection?: string) {
    this.peer = peer;
    this.connection = connection;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether an answer waits that gives way. */
  get isAwaited(): boolean {
    return this.#waiting !== undefined;
  }

  whenGone(listener: () => void): () => void {
    const once = (): void => listener();
    this.#leaving ??= new Set();
    this.#leaving.add(once);
    return () => void this.#leaving?.delete(once);
  }

  giveWay(listener: () => void): () => void {
    this.#waiting = listener;
    return () => {
      if (this.#waiting === listener) this.#waiting = undefined;
    };
  }

  /** The host has said something else. */
  saysMore(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  leave(): void {
    this.#isGone = true;
    this.saysMore();
    const leaving = this.#leaving;
    this.#leaving = undefined;
    for (const listener of leaving ?? []) listener();
  }
}

/** For requests that come from no connection: it never leaves, and says nothing else. */
export const nobody: Caller = { isGone: false, whenGone: () => () => undefined, giveWay: () => () => undefined };

// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import type { GoldenLine } from '../golden.ts';

/**
 * Numbers that an agent gives out (handles, process ids) are others here than in the recording. What was recorded as an
 * answer to the giving command says which of ours stands for which of theirs; later requests and answers are put into
 * our numbers.
 */
export class Renumbering {
  readonly #giving: RegExp;
  readonly #places: readonly RegExp[];
  readonly #ours = new Map<string, string>();

  /**
   * @param giving matches an answer that gives a number out, which is its first group
   * @param places match where such a number stands, with the text before it as first group and the number as second
   */
  constructor(giving: RegExp, places: readonly RegExp[]) {
    this.#giving = giving;
    this.#places = places;
  }

  /** Whether both answers give a number out; it is noted then. */
  gives(recorded: GoldenLine | undefined, actual: Buffer | string | undefined): boolean {
    if (typeof recorded !== 'string' || actual === undefined) return false;
    const theirs = this.#giving.exec(recorded)?.[1];
    const ours = this.#giving.exec(actual.toString())?.[1];
    if (theirs === undefined || ours === undefined) return false;
    this.#ours.set(theirs, ours);
    return true;
  }

  translate(text: string): string {
    return this.#places.reduce((done, place) => done.replace(place, (all, before: string, number: string) => before + (this.#ours.get(number) ?? all.slice(before.length))), text);
  }

  line(recorded: GoldenLine): GoldenLine {
    return typeof recorded === 'string' ? this.translate(recorded) : recorded;
  }

  request(bytes: Buffer): Buffer {
    return Buffer.from(this.translate(bytes.toString('latin1')), 'latin1');
  }
}

export const fileHandles = (): Renumbering => new Renumbering(/^\{"return": (\d+)\}$/, [/("handle": )(\d+)/g, /(handle ')(\d+)/g]);

export const processIds = (): Renumbering => new Renumbering(/^\{"return": \{"pid": (\d+)\}\}$/, [/("pid": )(\d+)/g, /(PID )(\d+)/g]);

// SPDX-License-Identifier: Apache-2.0
import type { FreezeEnd, FreezeOutcome, ThawOutcome } from '../ports/freezing.ts';
import type { HookResult } from './hooks.ts';
import type { LeftOut } from './plan.ts';

export type FreezeEnding = 'thaw' | 'failure' | 'nothing-frozen' | FreezeEnd['reason'];

/** What a freeze did, file system by file system, under the names of `__org.concierge_fsfreeze-report`. */
export interface FreezeReport {
  readonly status: 'thawed' | 'frozen';
  readonly 'started-at'?: bigint;
  readonly 'deadline-at'?: bigint;
  readonly 'ended-at'?: bigint;
  readonly 'ended-by'?: FreezeEnding;
  readonly detail?: string;
  readonly filesystems: readonly FileSystemReport[];
  readonly 'left-out': readonly { readonly mountpoint: string; readonly reason: string; readonly detail: string }[];
  readonly hooks: readonly HookReport[];
  readonly warnings?: readonly string[];
}

export interface FileSystemReport {
  readonly mountpoint: string;
  readonly result: FreezeOutcome['result'];
  readonly error?: string;
  readonly 'flush-ns'?: bigint;
  readonly 'freeze-ns'?: bigint;
  readonly 'frozen-at'?: bigint;
  readonly 'thawed-at'?: bigint;
  readonly 'thaw-error'?: string;
}

export interface HookReport {
  readonly name: string;
  readonly phase: HookResult['phase'];
  readonly ok: boolean;
  readonly error?: string;
  readonly output: string;
  readonly 'duration-ns': bigint;
}

/** Why a file system stayed as it was although it had been taken for one that can be frozen. */
export const withoutFreeze = 'the system has no freeze for this file system';

/** Of the plan, or of a thaw: `suspended` and `not-thawed` file systems of others. */
type LeftOutOf = Pick<LeftOut, 'mountPoint' | 'detail'> & { readonly reason: string };

/** Gathers what happens in one freeze, from the first hook to the last. */
export class FreezeRecord {
  readonly startedAt: bigint;
  readonly hooks: HookResult[] = [];
  leftOut: readonly LeftOutOf[] = [];
  warnings: readonly string[] = [];
  /** Wall clock, nanoseconds; 0: none. */
  deadlineAt = 0n;
  #outcomes: readonly FreezeOutcome[] = [];
  readonly #thaws = new Map<string, ThawOutcome>();
  #end: { readonly by: FreezeEnding; readonly at: bigint; readonly detail?: string } | undefined;

  constructor(startedAt: bigint) {
    this.startedAt = startedAt;
  }

  froze(outcomes: readonly FreezeOutcome[]): void {
    this.#outcomes = outcomes;
  }

  /** The later word counts, but for a file system that was thawed before. */
  thawed(outcomes: readonly ThawOutcome[]): void {
    for (const outcome of outcomes) if (this.#thaws.get(outcome.id)?.thawed !== true) this.#thaws.set(outcome.id, outcome);
  }

  end(by: FreezeEnding, at: bigint, detail?: string): void {
    this.#end ??= { by, at, ...(detail !== undefined && { detail }) };
  }

  isAbout(id: string): boolean {
    return this.#outcomes.some((outcome) => outcome.id === id);
  }

  get frozenCount(): number {
    return this.#outcomes.filter(({ result }) => result === 'frozen').length;
  }

  /** Mount points of what the system refused to freeze although nothing had spoken against it. */
  get unsupported(): readonly string[] {
    return this.#outcomes.filter(({ result }) => result === 'unsupported').map(({ mountPoint }) => mountPoint);
  }

  report(status: FreezeReport['status']): FreezeReport {
    return {
      status,
      'started-at': this.startedAt,
      ...(status === 'frozen' && this.deadlineAt !== 0n && { 'deadline-at': this.deadlineAt }),
      ...(this.#end !== undefined && { 'ended-at': this.#end.at, 'ended-by': this.#end.by }),
      ...(this.#end?.detail !== undefined && { detail: this.#end.detail }),
      filesystems: this.#outcomes.map((outcome) => this.#fileSystem(outcome)),
      'left-out': [
        ...this.leftOut.map(({ mountPoint, reason, detail }) => ({ mountpoint: mountPoint, reason, detail })),
        ...this.unsupported.map((mountPoint) => ({ mountpoint: mountPoint, reason: 'not-freezable', detail: withoutFreeze })),
      ],
      hooks: this.hooks.map(({ name, phase, ok, error, output, durationNs }) => ({
        name, phase, ok, ...(error !== undefined && { error }), output, 'duration-ns': durationNs,
      })),
      ...(this.warnings.length > 0 && { warnings: this.warnings }),
    };
  }

  #fileSystem({ id, mountPoint, result, error, flushNs, freezeNs, frozenAt }: FreezeOutcome): FileSystemReport {
    const thaw = this.#thaws.get(id);
    return {
      mountpoint: mountPoint,
      result,
      ...(error !== undefined && { error }),
      ...(flushNs !== undefined && { 'flush-ns': flushNs }),
      ...(freezeNs !== undefined && { 'freeze-ns': freezeNs }),
      ...(frozenAt !== undefined && { 'frozen-at': frozenAt }),
      ...(thaw?.thawedAt !== undefined && { 'thawed-at': thaw.thawedAt }),
      ...(thaw?.error !== undefined && { 'thaw-error': thaw.error }),
    };
  }

  /** `/data frozen (flush 12 ms, freeze 31 ms)`, for the log. */
  freezeLine(): string {
    const each = this.#outcomes.map(({ mountPoint, result, flushNs = 0n, freezeNs = 0n }) =>
      `${mountPoint} ${result} (flush ${milliseconds(flushNs)} ms, freeze ${milliseconds(freezeNs)} ms)`);
    return `${this.frozenCount} file systems are frozen: ${listed(each)}`;
  }

  /** `/data after 812 ms`, for the log. */
  thawLine(): string {
    const each = this.#outcomes.flatMap(({ id, mountPoint, frozenAt }) => {
      const thaw = this.#thaws.get(id);
      if (frozenAt === undefined || thaw === undefined) return [];
      if (thaw.thawedAt === undefined) return `${mountPoint} ${thaw.error ?? 'was thawed by somebody else'}`;
      return `${mountPoint} after ${milliseconds(thaw.thawedAt - frozenAt)} ms`;
    });
    return `file systems are thawed: ${listed(each)}`;
  }
}

const milliseconds = (ns: bigint): string => (Number(ns) / 1e6).toFixed(1);

/** A line of the log has an end. */
const listed = (each: readonly string[]): string =>
  each.length > 32 ? `${each.slice(0, 32).join(', ')} and ${each.length - 32} more` : each.join(', ');

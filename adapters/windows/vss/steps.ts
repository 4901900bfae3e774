// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { createVssBackupComponents, IVssAsync, IVssBackupComponents } from '../bindings/vssapi.ts';
import { comObject, type ComObject } from '../com.ts';
import type { Out, Pointer } from '../koffi.ts';
import { within } from '../../shared/within.ts';
import { asyncFinished, asyncPending, vssError } from './codes.ts';
import type { Limits } from './limits.ts';

export type BackupComponents = ComObject<(typeof IVssBackupComponents)['slots']>;
export type AsyncOperation = ComObject<(typeof IVssAsync)['slots']>;

/** For asking an operation again that is not over although its wait is. */
const pauseMs = 20;

/** Calls that have not come back in time: the threads that they occupy, and their objects, are theirs until they do. */
const hanging = new Set<{ readonly text: string }>();

/** A call of VSS that was given up and has still not come back, in words. */
export const hangingCall = (): string | undefined => hanging.values().next().value?.text;

/** What a call comes to; `undefined` after the limit. Then it counts as hanging until it comes back. */
async function inTime<T>(text: string, limitMs: number, call: Promise<T>): Promise<T | undefined> {
  const result = await within(limitMs, call);
  if (result === undefined) {
    const entry = { text };
    hanging.add(entry);
    void call.finally(() => hanging.delete(entry));
  }
  return result;
}

/** The steps of one freeze, each within its limit. */
export class Steps {
  readonly limits: Limits;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** @throws `TEXT: Windows error 0x…` for a failed call, failed error for one that does not come back */
  async demand(text: string, call: Promise<number>, limitMs = this.limits.callMs): Promise<void> {
    const code = await this.attempt(text, call, limitMs);
    if (code < 0) throw vssError(text, code);
  }

  /** The HRESULT of a call. @throws failed error for one that does not come back */
  async attempt(text: string, call: Promise<number>, limitMs = this.limits.callMs): Promise<number> {
    const code = await inTime(text, limitMs, call);
    if (code === undefined) throw AgentError.failed(`${text}: VSS did not answer within ${limitMs / 1000} s`);
    return code;
  }

  /**
   * Begins an asynchronous operation and waits for its end.
   *
   * @throws `TEXT: Windows error 0x…`; after `limitMs` the operation is cancelled: `TEXT: not done within N s`
   */
  async complete(text: string, limitMs: number, begin: (operation: Out<Pointer | null>) => Promise<number>): Promise<void> {
    const operation = await this.begin(text, begin);
    try {
      const code = await this.outcomeOf(operation, limitMs);
      if (code === undefined) {
        await this.cancel(text, operation);
        throw AgentError.failed(`${text}: not done within ${limitMs / 1000} s`);
      }
      if (code < 0) throw vssError(text, code);
    } finally {
      operation.release();
    }
  }

  async begin(text: string, begin: (operation: Out<Pointer | null>) => Promise<number>): Promise<AsyncOperation> {
    const out: Out<Pointer | null> = [null];
    await this.demand(text, begin(out));
    if (out[0] === null) throw AgentError.failed(`${text}: VSS gave no operation to wait for`);
    return comObject(IVssAsync, out[0]);
  }

  /** What came of an operation; `undefined` when it is not over after `limitMs`. */
  async outcomeOf(operation: AsyncOperation, limitMs: number): Promise<number | undefined> {
    const { callMs } = this.limits;
    const end = performance.now() + limitMs;
    for (let left = limitMs; left > 0; left = end - performance.now()) {
      // The limit is the wait's own; ours is for one that does not keep it.
      const waited = await inTime('waiting for an operation', left + callMs, operation.Wait(Math.ceil(left)));
      if (waited === undefined) return undefined;
      const status: Out<number> = [0];
      const asked = await inTime('asking for the state of an operation', callMs, operation.QueryStatus(status, null));
      if (asked === undefined || asked < 0) return asked;
      if (status[0] !== asyncPending) return status[0];
      await new Promise((resolve) => {
        setTimeout(resolve, pauseMs);
      });
    }
    return undefined;
  }

  /** Tells an operation to end. Whoever hangs may come back later; that is no failure of this step. */
  async cancel(text: string, operation: AsyncOperation): Promise<void> {
    await inTime(`${text}: cancelling`, this.limits.callMs, operation.Cancel());
  }

  /** @throws `failed to create VSS backup components: Windows error 0x…` */
  async createBackupComponents(): Promise<BackupComponents> {
    const text = 'failed to create VSS backup components';
    const made: Out<Pointer | null> = [null];
    await this.demand(text, createVssBackupComponents(made), this.limits.startMs);
    if (made[0] === null) throw AgentError.failed(text);
    return comObject(IVssBackupComponents, made[0]);
  }
}

export const isFinished = (code: number | undefined): boolean => code === asyncFinished;

import { AgentError } from '../../../core/errors/agent-error.ts';
import { IVssAsync, type IVssBackupComponents, vssapi } from '../bindings/vssapi.ts';
import { comObject, type ComObject } from '../com.ts';
import type { Called } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { within } from '../within.ts';
import { asyncFinished, asyncPending, vssError } from './codes.ts';

export type BackupComponents = ComObject<(typeof IVssBackupComponents)['slots']>;
export type AsyncOperation = ComObject<(typeof IVssAsync)['slots']>;

/** For a call that should be short: VSS asks its service, which may hang. */
const callLimitMs = 30_000;
/** For asking an operation again that is not over although its wait is. */
const pauseMs = 20;

/** @throws `TEXT: Windows error 0x…` for a failed call, failed error for one that does not come back */
export async function demand(text: string, call: Promise<Called<number>>): Promise<void> {
  const code = await attempt(text, call);
  if (code < 0) throw vssError(text, code);
}

/** The HRESULT of a call. @throws failed error for one that does not come back */
export async function attempt(text: string, call: Promise<Called<number>>): Promise<number> {
  const called = await within(callLimitMs, call);
  if (called === undefined) throw AgentError.failed(`${text}: VSS did not answer within ${callLimitMs / 1000} s`);
  return called.result;
}

/**
 * Begins an asynchronous operation and waits for its end.
 *
 * @throws `TEXT: Windows error 0x…`; after `limitMs` the operation is cancelled: `TEXT: not done within N s`
 */
export async function complete(text: string, limitMs: number, begin: (operation: Out<Pointer | null>) => Promise<Called<number>>): Promise<void> {
  const operation = await beginOperation(text, begin);
  const code = await outcomeOf(operation, limitMs);
  if (code === undefined) {
    // Whoever hangs may come back: the object is left to it.
    void operation.Cancel.async();
    throw AgentError.failed(`${text}: not done within ${limitMs / 1000} s`);
  }
  operation.Release();
  if (code < 0) throw vssError(text, code);
}

export async function beginOperation(text: string, begin: (operation: Out<Pointer | null>) => Promise<Called<number>>): Promise<AsyncOperation> {
  const out: Out<Pointer | null> = [null];
  await demand(text, begin(out));
  if (out[0] === null) throw AgentError.failed(`${text}: VSS gave no operation to wait for`);
  return comObject(IVssAsync, out[0]);
}

/** What came of an operation; `undefined` when it is not over after `limitMs`. Occupies one thread of the pool. */
export async function outcomeOf(operation: AsyncOperation, limitMs: number): Promise<number | undefined> {
  const end = performance.now() + limitMs;
  for (let left = limitMs; left > 0; left = end - performance.now()) {
    await operation.Wait.async(Math.ceil(left));
    const status: Out<number> = [0];
    const asked = operation.QueryStatus(status, null);
    if (asked < 0) return asked;
    if (status[0] !== asyncPending) return status[0];
    await new Promise((resolve) => {
      setTimeout(resolve, pauseMs);
    });
  }
  return undefined;
}

export const isFinished = (code: number | undefined): boolean => code === asyncFinished;

/** @throws `failed to create VSS backup components: Windows error 0x…` */
export async function createBackupComponents(of: typeof IVssBackupComponents): Promise<BackupComponents> {
  const made: Out<Pointer | null> = [null];
  await demand('failed to create VSS backup components', vssapi.CreateVssBackupComponentsInternal.async(made));
  if (made[0] === null) throw AgentError.failed('failed to create VSS backup components');
  return comObject(of, made[0]);
}

import { Buffer } from 'node:buffer';
import { setTimeout as pause } from 'node:timers/promises';

import { ClientError } from './client-error.ts';
import type { CallOptions, GuestClient, Input } from './guest-client.ts';

export interface ExecOptions extends CallOptions {
  readonly arguments?: readonly string[];
  /** `NAME=VALUE` each; replaces the agent's whole environment. */
  readonly environment?: readonly string[];
  readonly input?: Uint8Array | string;
  /** Milliseconds until the program must have ended; absent: for ever. It is not killed: the protocol has no way to. */
  readonly withinMs?: number;
}

export interface ExecResult {
  /** Absent when a signal ended it. */
  readonly exitCode?: number;
  readonly signal?: number;
  /** At most 16 MiB each; `truncated` says that there was more. */
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly truncated: boolean;
}

/**
 * Runs a program in the guest, waits for its end and brings what it printed.
 *
 * @throws ClientError `refused` when it cannot be started, `timeout` when it does not end in time
 */
export async function exec(client: GuestClient, path: string, options: ExecOptions = {}): Promise<ExecResult> {
  const call: CallOptions = { ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }), ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const args: Input<'guest-exec'> = {
    path,
    'capture-output': true,
    ...(options.arguments === undefined ? {} : { arg: options.arguments }),
    ...(options.environment === undefined ? {} : { env: options.environment }),
    ...(options.input === undefined ? {} : { 'input-data': Buffer.from(options.input).toString('base64') }),
  };
  const { pid } = await client.execute('guest-exec', args, call);
  const until = options.withinMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.withinMs;
  // There is no notification in this protocol: ask soon at first, then less and less often.
  for (let wait = 1; ; wait = Math.min(wait * 2, 500)) {
    const status = await client.execute('guest-exec-status', { pid }, call);
    if (status.exited) {
      return {
        ...(status.exitcode === undefined ? {} : { exitCode: Number(status.exitcode) }),
        ...(status.signal === undefined ? {} : { signal: Number(status.signal) }),
        stdout: Buffer.from(status['out-data'] ?? '', 'base64'),
        stderr: Buffer.from(status['err-data'] ?? '', 'base64'),
        truncated: status['out-truncated'] === true || status['err-truncated'] === true,
      };
    }
    if (performance.now() + wait > until) throw new ClientError('timeout', `${path} (process ${pid}) has not ended within ${options.withinMs} ms`);
    await pause(wait);
  }
}

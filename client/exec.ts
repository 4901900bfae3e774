// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import type { Base64Text } from '../core/schema/types.ts';
import { ClientError } from './client-error.ts';
import { GrowingPause } from './growing-pause.ts';
import { withBytes, type CallOptions, type GuestClient, type Output } from './guest-client.ts';
import { decodedPieces } from './guest-file.ts';
import { secondsText } from './seconds-text.ts';

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

type Status = Omit<Output<'guest-exec-status'>, 'out-data' | 'err-data'> & { readonly 'out-data'?: string | Base64Text; readonly 'err-data'?: string | Base64Text };

/**
 * Runs a program in the guest, waits for its end and brings what it printed.
 *
 * @throws ClientError `refused` when it cannot be started, `timeout` when it does not end in time
 */
export async function exec(client: GuestClient, path: string, options: ExecOptions = {}): Promise<ExecResult> {
  const call: CallOptions = { ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }), ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const args = {
    path,
    'capture-output': true,
    ...(options.arguments === undefined ? {} : { arg: options.arguments }),
    ...(options.environment === undefined ? {} : { env: options.environment }),
    ...(options.input === undefined ? {} : { 'input-data': Buffer.from(options.input) }),
  };
  const { pid } = (await client[withBytes]('guest-exec', args, call)) as Output<'guest-exec'>;
  const until = options.withinMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.withinMs;
  const pause = new GrowingPause(options.signal);
  for (;;) {
    const status = (await client[withBytes]('guest-exec-status', { pid }, call)) as Status;
    if (status.exited) {
      return {
        ...(status.exitcode === undefined ? {} : { exitCode: Number(status.exitcode) }),
        ...(status.signal === undefined ? {} : { signal: Number(status.signal) }),
        stdout: Buffer.concat(decodedPieces(status['out-data'])),
        stderr: Buffer.concat(decodedPieces(status['err-data'])),
        truncated: status['out-truncated'] === true || status['err-truncated'] === true,
      };
    }
    const left = until - performance.now();
    if (left <= 0) throw new ClientError('timeout', `${path} (process ${pid}) has not ended within ${secondsText(options.withinMs ?? 0)}`, { pid });
    await pause.wait(left);
  }
}

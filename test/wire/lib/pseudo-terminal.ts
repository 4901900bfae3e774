// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { repository } from './build.ts';

/** The host's end of a serial line; what it sends waits until the guest has made the line raw. */
export class PseudoTerminal {
  /** The guest's end. */
  readonly path: string;
  readonly #host: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(host: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, path: string) {
    this.#host = host;
    this.#lines = lines;
    this.path = path;
  }

  static async open(): Promise<PseudoTerminal> {
    const host = spawn('python3', [join(repository, 'test/system/transport/serial-host.py'), 'when-raw']);
    const reader: Interface = createInterface({ input: host.stdout.setEncoding('latin1') });
    const lines = reader[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new PseudoTerminal(host, lines, String(value));
  }

  send(bytes: Uint8Array): void {
    this.#host.stdin.write(bytes);
  }

  async line(): Promise<string> {
    return String((await this.#lines.next()).value);
  }

  /** The line is cut: the guest's end hangs up. */
  async close(): Promise<void> {
    this.#host.stdin.end();
    await once(this.#host, 'exit');
  }
}

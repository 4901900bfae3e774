// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** Emulated, and perhaps beside other work: long enough for everything that comes at all. */
const WITHIN = 240_000;

/** A host's end of a character device or of QMP: a Unix socket on which lines go both ways. */
export class LineSocket {
  readonly socket: Socket;
  #received = '';
  readonly #lines: string[] = [];
  #arrived: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      const lines = this.#received.split('\n');
      this.#received = lines.pop() ?? '';
      this.#lines.push(...lines);
      this.#arrived?.();
    });
    socket.on('error', () => this.#arrived?.());
    socket.on('close', () => this.#arrived?.());
  }

  /** Connects, once the socket is there. */
  static async connect(path: string, within = WITHIN): Promise<LineSocket> {
    const deadline = performance.now() + within;
    for (;;) {
      if (existsSync(path)) {
        const socket = connect(path);
        try {
          await once(socket, 'connect');
          return new LineSocket(socket);
        } catch (error) {
          if (performance.now() > deadline) throw error;
        }
      } else if (performance.now() > deadline) {
        throw new Error(`nothing is at ${path}`);
      }
      await wait(50);
    }
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** The next line. @throws when none comes within the time, or the other side closes */
  async line(within = WITHIN): Promise<string> {
    const deadline = performance.now() + within;
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      const left = deadline - performance.now();
      if (this.socket.destroyed) throw new Error('the other side has closed the socket');
      if (left <= 0) throw new Error(`no line within ${within} ms; so far ${this.#received.length} characters, the last ${JSON.stringify(this.#received.slice(-200))}`);
      const timer = setTimeout(() => this.#arrived?.(), left);
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
      clearTimeout(timer);
    }
  }

  close(): void {
    this.socket.destroy();
  }
}

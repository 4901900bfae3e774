import { LineSocket } from './line-socket.ts';

export interface ShellResult {
  readonly status: number;
  readonly output: string;
}

/** Commands in the guest, past the agent: shows what the guest itself sees. One at a time. */
export class GuestShell {
  readonly #line: LineSocket;

  private constructor(line: LineSocket) {
    this.#line = line;
  }

  /** Resolves once the guest has booted so far that it takes commands. */
  static async connect(path: string, bootWithin: number): Promise<GuestShell> {
    const line = await LineSocket.connect(path);
    const greeting = await line.line(bootWithin);
    if (greeting !== 'ready') throw new Error(`the guest's shell says ${JSON.stringify(greeting)}`);
    return new GuestShell(line);
  }

  /** Resolves once the guest takes commands again after it has gone down. */
  async rebooted(within: number): Promise<void> {
    for (const deadline = performance.now() + within; ; ) {
      if ((await this.#line.line(Math.max(deadline - performance.now(), 0))) === 'ready') return;
    }
  }

  /** Runs a script of bash; both outputs in one. */
  async try(script: string, within = 180_000): Promise<ShellResult> {
    this.#line.send(`${Buffer.from(script).toString('base64')}\n`);
    const [status = '', output = ''] = (await this.#line.line(within)).split(' ');
    return { status: Number(status), output: Buffer.from(output, 'base64').toString() };
  }

  /** The same for a script that must succeed; resolves to its output. */
  async run(script: string, within?: number): Promise<string> {
    const { status, output } = await this.try(script, within);
    if (status !== 0) throw new Error(`in the guest: ${script}\nended with ${status}: ${output}`);
    return output.trimEnd();
  }

  /** Resolves once the condition, a command of bash, holds. @throws when it does not within the time */
  async until(condition: string, within = 300_000): Promise<void> {
    const seconds = Math.ceil(within / 1000);
    const { status, output } = await this.try(`until ${condition}; do (( SECONDS < ${seconds} )) || exit 1; sleep 0.1; done`, within + 60_000);
    if (status !== 0) throw new Error(`in the guest: not within ${seconds} s: ${condition}\n${output.slice(-2000)}`);
  }

  close(): void {
    this.#line.close();
  }
}

// SPDX-License-Identifier: Apache-2.0
import { close, constants, existsSync, openSync, write } from 'node:fs';
import { dirname, resolve as absolute } from 'node:path';
import { systemError } from '../shared/system-error.ts';
import { placeGuard, untrusted } from '../shared/trust/place-guard.ts';
import { mustBeRegularOrTerminal, openTrusted, refusalToOpen, refusedWith, type TrustedOpen } from '../shared/trust/trusted-file.ts';

/** Where lines go: standard error or a file that is only appended to. */
export interface LineSink {
  /** Never throws and never waits. */
  write(line: string): void;
  /** Resolves when nothing written before is on its way any more. */
  idle(): Promise<void>;
  /** Opens the file anew, for rotation. Keeps the old one, and answers why, where that fails. */
  reopen(): string | undefined;
}

/** Most text that waits for a slow reader of standard error. */
const backlogLimit = 1024 * 1024;

/**
 * @param file absent: standard error
 * @param lostLine what is written where lines were lost
 * @throws os error `unable to open specified log file 'FILE': STRERROR`
 */
export function openSink(file: string | undefined, lostLine: (count: number) => string = lostOfLog): LineSink {
  return new DescriptorSink(file, lostLine);
}

const lostOfLog = (count: number): string => `(${count} lines were lost here: the log could not be written fast enough)\n`;

const flags = constants.O_WRONLY | constants.O_APPEND;

/** Without waiting for anybody: a FIFO would have the agent wait for a reader, at the start or while it serves. */
const append = (file: string): number =>
  process.platform === 'win32'
    ? openJudged(file)
    : openTrusted(file, asLog);

const asLog: TrustedOpen = { flags, create: 0o600, systemGroups: true, terminals: true, check: mustBeRegularOrTerminal };

/** Why a file cannot be the log, as far as it can be told without opening it. */
export const refusalAsLog = (file: string): string | undefined =>
  process.platform === 'win32' ? placeGuard()?.whyDistrusted(judgedFor(file)) : refusalToOpen(file, asLog);

const judgedFor = (file: string): string => (existsSync(file) ? file : dirname(absolute(file)));

/** A file that is made anew takes its rights from its folder. */
function openJudged(file: string): number {
  const reason = placeGuard()?.whyDistrusted(judgedFor(file));
  if (reason !== undefined) throw untrusted(reason);
  return openSync(file, flags | constants.O_CREAT, 0o600);
}

const unopened = (error: unknown, file: string | undefined): Error => refusedWith(`unable to open specified log file '${file ?? ''}'`, systemError(error, file));

/** One write at a time in the pool; what comes meanwhile is written together afterwards. */
class DescriptorSink implements LineSink {
  readonly #file: string | undefined;
  #fd: number;
  #backlog = '';
  #lost = 0;
  /** The last line that was written is not whole. */
  #torn = false;
  #writing: Promise<void> | undefined;
  readonly #lostLine: (count: number) => string;

  constructor(file: string | undefined, lostLine: (count: number) => string) {
    this.#file = file;
    this.#lostLine = lostLine;
    try {
      this.#fd = file === undefined ? 2 : append(file);
    } catch (error) {
      throw unopened(error, file);
    }
  }

  write(line: string): void {
    if (this.#backlog.length + line.length > backlogLimit) this.#lost += 1;
    else this.#backlog += line;
    this.#writing ??= this.#drain();
  }

  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  reopen(): string | undefined {
    if (this.#file === undefined) return undefined;
    try {
      const old = this.#fd;
      this.#fd = append(this.#file);
      // A write that is under way keeps its descriptor until it is done.
      void this.idle().then(() => close(old, () => undefined));
      return undefined;
    } catch (error) {
      return unopened(error, this.#file).message;
    }
  }

  async #drain(): Promise<void> {
    while (this.#backlog !== '') {
      const [text, lost] = [this.#backlog, this.#lost];
      this.#backlog = '';
      this.#lost = 0;
      await this.#writeOrCount(text, lost);
    }
    this.#writing = undefined;
  }

  /** What is lost is told behind the next line that is written, which is one of its own. */
  async #writeOrCount(text: string, lostBefore: number): Promise<void> {
    const start = this.#torn ? '\n' : '';
    const lines = Buffer.from(start + text);
    const bytes = lostBefore === 0 ? lines : Buffer.concat([lines, Buffer.from(this.#lostLine(lostBefore))]);
    const done = await writeWhole(this.#fd, bytes);
    if (done > 0) this.#torn = bytes[done - 1] !== newline;
    if (done === bytes.length) return;
    this.#lost += lostBefore + lines.subarray(Math.max(done, start.length)).filter((byte) => byte === newline).length;
  }
}

const newline = 0x0a;

/** A log that can't be written (a full disk, nobody who reads) costs its lines and nothing else. Answers how many bytes were. */
async function writeWhole(fd: number, bytes: Buffer): Promise<number> {
  let retries = 0;
  for (let done = 0; done < bytes.length; ) {
    const written = await new Promise<number | undefined>((resolve) => {
      write(fd, bytes, done, bytes.length - done, null, (error, count) => resolve(error === null ? count : retryable(error) ? 0 : undefined));
    });
    if (written === undefined) return done;
    // A pipe that its other end made non-blocking and that is full.
    if (written === 0) {
      retries += 1;
      if (retries > 50) return done;
      await new Promise((resolve) => {
        setTimeout(resolve, 20).unref();
      });
    }
    done += written;
  }
  return bytes.length;
}

const retryable = (error: NodeJS.ErrnoException): boolean => error.code === 'EAGAIN' || error.code === 'EINTR';

// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../../core/errors/agent-error.ts';
import type { Log, LogLevel, LogLine } from '../../core/ports/index.ts';
import { EntryRing } from './entry-ring.ts';
import { formatLine, onOneLine, type Entry } from './line.ts';
import { openSink, type LineSink } from './line-sink.ts';
import { plainPipeline, type MakePipeline, type Pipeline } from './pipeline.ts';
import type { SystemLog } from '../shared/system-log.ts';

export interface LogOptions {
  /** Information and debugging too. */
  readonly verbose: boolean;
  /** Absent: standard error. */
  readonly file?: string | undefined;
  /** Begin as after `hold`, with the file not even opened: an earlier agent left file systems frozen. */
  readonly held?: boolean;
  /** Where accounting lines go besides. */
  readonly account?: (text: string, at: bigint) => void;
  /** Something else that writes, and is held and released with the log. */
  readonly beside?: { hold(): Promise<void>; release(): void };
  /** Where errors and warnings go besides. */
  readonly system?: SystemLog;
  /** Wall clock, nanoseconds. */
  readonly now?: () => bigint;
  readonly open?: (file: string | undefined) => LineSink;
  /** What formats and distributes lines. */
  readonly pipeline?: MakePipeline;
}

const rank: Readonly<Record<LogLevel, number>> = { error: 0, warning: 1, info: 2, debug: 3 };

/** How long a freeze waits for a reader of the log who does not read. */
const patienceMs = 2000;

const loadPipeline: MakePipeline = async (sink, system) => {
  const { winstonPipeline } = await import('./winston-pipeline.ts');
  return winstonPipeline(sink, system);
};

/** The log of the process, behind the port. */
export class ProcessLog implements Log {
  readonly #options: LogOptions;
  readonly #threshold: number;
  readonly #now: () => bigint;
  readonly #ring = new EntryRing();
  #sink: LineSink | undefined;
  #held: boolean;
  #pipeline: Pipeline | undefined;
  #loading: Promise<void> | undefined;

  /** @throws os error `unable to open specified log file 'FILE': STRERROR` */
  constructor(options: LogOptions) {
    this.#options = options;
    this.#threshold = rank[options.verbose ? 'debug' : 'warning'];
    this.#now = options.now ?? ((): bigint => BigInt(Date.now()) * 1_000_000n);
    this.#held = options.held ?? false;
    if (!this.#held && options.file !== undefined) this.#sink = this.#open(options.file);
  }

  error(line: LogLine): void {
    this.#say('error', line, false);
  }

  warning(line: LogLine): void {
    this.#say('warning', line, false);
  }

  info(line: LogLine): void {
    this.#say('info', line, false);
  }

  debug(line: LogLine): void {
    this.#say('debug', line, false);
  }

  account(line: LogLine): void {
    this.#say('info', line, true);
  }

  async hold(): Promise<void> {
    const patience = AbortSignal.timeout(patienceMs);
    await Promise.race([Promise.all([this.flush(), this.#options.beside?.hold()]), new Promise((resolve) => patience.addEventListener('abort', resolve, { once: true }))]);
    this.#held = true;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#options.beside?.release();
    void this.#empty();
  }

  /** Resolves when everything said so far has been written; at once while held. */
  async flush(): Promise<void> {
    while (this.#loading !== undefined) await this.#loading;
    await this.#pipeline?.settled();
    await this.#sink?.idle();
  }

  /** Opens the log file anew. */
  reopen(): void {
    const problem = this.#sink?.reopen();
    if (problem !== undefined) this.error(problem);
  }

  #say(level: LogLevel, line: LogLine, account: boolean): void {
    const accounted = account && this.#options.account !== undefined;
    if (rank[level] > this.#threshold && !accounted) return;
    const entry = { level, text: onOneLine(textOf(line)), at: this.#now(), account: accounted };
    if (this.#held || this.#loading !== undefined || this.#pipeline === undefined) {
      this.#ring.push(entry);
      if (!this.#held) void this.#empty();
    } else {
      this.#write(entry, this.#pipeline);
    }
  }

  /** Brings the pipeline up where it is not there yet, and what waited through it. */
  async #empty(): Promise<void> {
    if (this.#loading !== undefined) return this.#loading;
    if (this.#pipeline !== undefined) return this.#drain(this.#pipeline);
    this.#loading = this.#load().then((pipeline) => {
      this.#loading = undefined;
      this.#pipeline = pipeline;
      if (!this.#held) this.#drain(pipeline);
    });
    return this.#loading;
  }

  #drain(pipeline: Pipeline): void {
    const { entries, dropped } = this.#ring.drain();
    if (dropped > 0) {
      const text = `${dropped} lines of the log were dropped here: more was said than could wait`;
      this.#write({ level: 'warning', text, at: entries[0]?.at ?? this.#now(), account: false }, pipeline);
    }
    for (const entry of entries) this.#write(entry, pipeline);
  }

  async #load(): Promise<Pipeline> {
    this.#sink ??= this.#open(this.#options.file);
    const sink = this.#sink;
    try {
      return await (this.#options.pipeline ?? loadPipeline)(sink, this.#options.system);
    } catch (error) {
      // A log that is less well dressed is better than none.
      sink.write(formatLine({ level: 'warning', text: onOneLine(`winston could not be loaded: ${String(error)}`), at: this.#now(), account: false }));
      return plainPipeline(sink, this.#options.system);
    }
  }

  #open(file: string | undefined): LineSink {
    const open = this.#options.open ?? openSink;
    if (this.#options.held !== true || file === undefined) return open(file);
    try {
      return open(file);
    } catch (error) {
      const sink = open(undefined);
      sink.write(formatLine({ level: 'error', text: onOneLine(messageOf(error)), at: this.#now(), account: false }));
      return sink;
    }
  }

  #write(entry: Entry, pipeline: Pipeline): void {
    if (entry.account) this.#options.account?.(entry.text, entry.at);
    if (rank[entry.level] <= this.#threshold) pipeline.write(entry);
  }
}

/** A line is built by others' code, and saying something must not fail. */
function textOf(line: LogLine): string {
  if (typeof line === 'string') return line;
  try {
    return line();
  } catch (error) {
    return `(a line of the log could not be built: ${String(error)})`;
  }
}

// SPDX-License-Identifier: Apache-2.0
import type { Log, LogLevel, LogLine } from '../../core/ports/index.ts';

export interface RecordedLine {
  /** `account`: the accounting log. */
  readonly level: LogLevel | 'account';
  readonly text: string;
  /** Said between `hold` and `release`: nothing of it may have reached a disk before the release. */
  readonly held: boolean;
}

const order: readonly LogLevel[] = ['error', 'warning', 'info', 'debug'];

/** Keeps every line that was said. */
export class FakeLog implements Log {
  /** Everything that was said at or above the level, in order. */
  readonly lines: RecordedLine[] = [];
  readonly level: LogLevel;
  #holding = false;

  /** @param level the least important level that is recorded; lines below it are not even built */
  constructor(level: LogLevel = 'debug') {
    this.level = level;
  }

  get holding(): boolean {
    return this.#holding;
  }

  /** The texts, of one level or of all. */
  texts(level?: RecordedLine['level']): readonly string[] {
    return this.lines.filter((line) => level === undefined || line.level === level).map(({ text }) => text);
  }

  error(line: LogLine): void {
    this.#say('error', line);
  }

  warning(line: LogLine): void {
    this.#say('warning', line);
  }

  info(line: LogLine): void {
    this.#say('info', line);
  }

  debug(line: LogLine): void {
    this.#say('debug', line);
  }

  account(line: LogLine): void {
    this.#say('account', line);
  }

  async hold(): Promise<void> {
    this.#holding = true;
  }

  release(): void {
    this.#holding = false;
  }

  #say(level: RecordedLine['level'], line: LogLine): void {
    if (level !== 'account' && order.indexOf(level) > order.indexOf(this.level)) return;
    this.lines.push({ level, text: typeof line === 'string' ? line : line(), held: this.#holding });
  }
}

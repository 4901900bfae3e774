// SPDX-License-Identifier: Apache-2.0
import { Writable } from 'node:stream';
import { formatLine, type Entry } from './line.ts';
import type { LineSink } from './line-sink.ts';
import { isForSystem, type Pipeline } from './pipeline.ts';
import type { SystemLog } from '../shared/system-log.ts';

/** Where winston keeps the formatted text of an entry (triple-beam). */
const formatted = Symbol.for('message');

/**
 * winston, loaded when the first line is written and not before: an agent that has nothing to say goes without its
 * memory and its start-up time. Its logger does levels, format and distribution; the system's log, the event log of
 * Windows, is one more transport.
 */
export async function winstonPipeline(sink: LineSink, system?: SystemLog): Promise<Pipeline> {
  // Only the default export is there both in Node and in the bundle: winston is CommonJS.
  const { default: winston } = await import('winston');
  const { createLogger, format, transports } = winston;
  let underWay = 0;
  let waiting: (() => void)[] = [];
  const delivered = (): void => {
    underWay -= 1;
    if (underWay > 0) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  const stream = new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      sink.write(line);
      delivered();
      done();
    },
  });
  const toSystem = (log: SystemLog): Writable => new Writable({
    objectMode: true,
    write: ({ entry }: { readonly entry: Entry }, _encoding, done) => {
      if (isForSystem(entry)) log.report(entry.level, entry.text);
      delivered();
      done();
    },
  });
  const line = format((info) => {
    info[formatted] = formatLine(info['entry'] as Entry);
    return info;
  });
  const logger = createLogger({
    levels: { error: 0, warning: 1, info: 2, debug: 3 },
    level: 'debug',
    format: line(),
    // The line ends itself.
    transports: [new transports.Stream({ stream, eol: '' }), ...(system === undefined ? [] : [new transports.Stream({ stream: toSystem(system) })])],
  });
  return {
    write: (entry) => {
      underWay += system === undefined ? 1 : 2;
      logger.log({ level: entry.level, message: entry.text, entry });
    },
    // winston's logger is a stream: what it is given goes on in a later tick.
    settled: async () => {
      if (underWay > 0) await new Promise<void>((resolve) => waiting.push(resolve));
      await system?.settled();
    },
  };
}

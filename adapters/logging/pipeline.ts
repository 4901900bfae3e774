// SPDX-License-Identifier: Apache-2.0
import { formatLine, type Entry } from './line.ts';
import type { LineSink } from './line-sink.ts';
import type { SystemLog } from '../shared/system-log.ts';

/** What formats entries and distributes them. */
export interface Pipeline {
  write(entry: Entry): void;
  /** Resolves when everything written has been handed to the sink, and is in the system's log. */
  settled(): Promise<void>;
}

/** Makes a pipeline to a sink and, for errors and warnings, to the system's log where there is one. */
export type MakePipeline = (sink: LineSink, system?: SystemLog) => Promise<Pipeline>;

/** What the system's log is told of. */
export const isForSystem = (entry: Entry): entry is Entry & { readonly level: 'error' | 'warning' } =>
  entry.level === 'error' || entry.level === 'warning';

/** Without winston: the same lines to the same places. */
export const plainPipeline = (sink: LineSink, system?: SystemLog): Pipeline => ({
  write: (entry) => {
    sink.write(formatLine(entry));
    if (isForSystem(entry)) system?.report(entry.level, entry.text);
  },
  settled: () => system?.settled() ?? Promise.resolve(),
});

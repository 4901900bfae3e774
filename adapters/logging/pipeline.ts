import { formatLine, type Entry } from './line.ts';
import type { LineSink } from './line-sink.ts';

/** What formats entries and distributes them. */
export interface Pipeline {
  write(entry: Entry): void;
  /** Resolves when everything written has been handed to the sink. */
  settled(): Promise<void>;
}

/** Without winston: the same lines to the same place. */
export const plainPipeline = (sink: LineSink): Pipeline => ({
  write: (entry) => sink.write(formatLine(entry)),
  settled: () => Promise.resolve(),
});

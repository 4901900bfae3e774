import { LineCounter, parseDocument, type ParsedNode } from 'yaml';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { machineShape } from './machine-shape.ts';
import { listOf, record, text as textShape } from './shape.ts';
import type { Scenario } from './scenario.ts';
import { entryShape } from './timeline-shape.ts';

export interface ParseOptions {
  /** What to call the file in errors. */
  readonly name?: string;
  /** Names that may stand behind `on`. */
  readonly commands?: readonly string[];
}

/** How many mistakes are told at once. */
const mostMistakes = 20;

/**
 * Reads a scenario: YAML, or JSON, which is YAML too.
 *
 * @throws failed error with one line for each mistake: `NAME:LINE:COLUMN: what is wrong, and what was meant`
 */
export function parseScenario(source: string, { name = 'scenario', commands }: ParseOptions = {}): Scenario {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
  const mistakes = document.errors.map((error) => ({ at: error.pos[0], sentence: error.message }));
  const wrong = (node: ParsedNode | null, sentence: string): void => void mistakes.push({ at: node?.range[0] ?? 0, sentence });
  // What is not even YAML has no members to look at.
  const shape = record('a scenario', { description: textShape, machine: machineShape, timeline: listOf(entryShape(commands)) });
  const scenario = mistakes.length > 0 ? undefined : shape(document.contents, { wrong });
  if (mistakes.length === 0 && scenario !== undefined) return scenario;
  const told = mistakes.toSorted((one, other) => one.at - other.at).slice(0, mostMistakes).map(({ at, sentence }) => {
    const { line, col } = lines.linePos(at);
    return `${name}:${line}:${col}: ${sentence}`;
  });
  throw AgentError.failed([...told, ...(mistakes.length > mostMistakes ? [`… and ${mistakes.length - mostMistakes} more`] : [])].join('\n'));
}

// SPDX-License-Identifier: Apache-2.0
import { LineCounter, parseDocument, type ParsedNode, type YAMLParseError } from 'yaml';

import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import { machineShape } from './machine-shape.ts';
import { listOf, record, text as textShape } from '../../shared/yaml-shape.ts';
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
  const mistakes = syntaxErrors(source, document.errors);
  const wrong = (node: ParsedNode | null, sentence: string): void => void mistakes.push({ at: node?.range[0] ?? 0, sentence });
  const place = (at: number): string => {
    const { line, col } = lines.linePos(at);
    return `${name}:${line}:${col}`;
  };
  const placeOf = (node: ParsedNode | null): string => place(node?.range[0] ?? 0);
  // What is not even YAML has no members to look at.
  const shape = record('a scenario', { description: textShape, machine: machineShape, timeline: listOf(entryShape(commands)) });
  if (mistakes.length === 0 && document.contents === null) throw AgentError.failed(`${name}: there is nothing in it`);
  const scenario = mistakes.length > 0 ? undefined : shape(document.contents, { wrong, placeOf });
  if (mistakes.length === 0 && scenario !== undefined) return scenario;
  const told = mistakes.toSorted((one, other) => one.at - other.at).slice(0, mostMistakes).map(({ at, sentence }) => `${place(at)}: ${sentence}`);
  throw AgentError.failed([...told, ...(mistakes.length > mostMistakes ? [`… and ${mistakes.length - mostMistakes} more`] : [])].join('\n'));
}

interface Mistake {
  readonly at: number;
  readonly sentence: string;
}

/** Of what was meant as JSON a reader of JSON says better what is wrong. */
function syntaxErrors(source: string, errors: readonly YAMLParseError[]): Mistake[] {
  if (errors.length > 0 && source.trimStart().startsWith('{')) {
    try {
      JSON.parse(source);
    } catch (error) {
      const [, sentence, at] = /^(.*?) in JSON at position (\d+)/.exec(messageOf(error)) ?? [];
      if (sentence !== undefined) return [{ at: Number(at), sentence }];
    }
  }
  return errors.map((error) => ({ at: error.pos[0], sentence: error.message }));
}

// SPDX-License-Identifier: Apache-2.0
import { packagingFile } from './places.ts';

/**
 * Puts into a script, in the place of `@COMMON@`, what it uses of packaging/shell/service.sh, directly or through another
 * function: a script of a package has to stand alone. In that file, parts are divided by blank lines.
 */
export function standaloneScript(text: string, variables: Readonly<Record<string, string>> = {}): string {
  const parts = packagingFile('shell/service.sh').trim().split('\n\n').slice(1);
  const wanted = new Set<string>();
  const want = (user: string): void => {
    for (const part of parts) {
      if (wanted.has(part) || !definitions(part).some((name) => new RegExp(`\\b${name}\\b`).test(uncommented(user)))) continue;
      wanted.add(part);
      want(part);
    }
  };
  want(text);
  const used = parts.filter((part) => wanted.has(part)).map((part) => withoutUnused(part, [text, ...wanted].join('\n')));
  const assignments = Object.entries(variables).filter(([name]) => new RegExp(`\\$\\{?${name}\\b`).test([text, ...used].join('\n')));
  const common = [assignments.map(([name, value]) => `${name}=${value}`).join('\n'), ...used].filter((part) => part !== '');
  return text.replace('@COMMON@\n', () => `\n${common.join('\n\n')}\n\n`);
}

const variable = /^(\w+)=/;

const definitions = (part: string): readonly string[] => part.split('\n').flatMap((line) => /^(\w+)(?:\(\) \{|=)/.exec(line)?.[1] ?? []);

const uncommented = (script: string): string => script.replaceAll(/^\s*#.*$/gm, '');

/** Of a part with variables, those that are used, with their comments. */
function withoutUnused(part: string, script: string): string {
  const lines = part.split('\n');
  if (!lines.some((line) => variable.test(line))) return part;
  const kept: string[] = [];
  let comments: string[] = [];
  for (const line of lines) {
    const name = variable.exec(line)?.[1];
    if (name === undefined) comments.push(line);
    else {
      if (script.includes(`$${name}`) || script.includes(`\${${name}`)) kept.push(...comments, line);
      comments = [];
    }
  }
  return kept.join('\n');
}

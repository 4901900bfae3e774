// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const rooms = ['core', 'adapters', 'client', 'kit'];

/** Imports of a file, types and `import()` included: what a reader has to know to understand it. */
const importsOf = (file: string): readonly string[] =>
  Array.from(readFileSync(file, 'utf8').matchAll(/(?:^(?:import|export)\b[^;]*?from |import\()'(\.[^']+\.ts)'/gm), ([, to = '']) => resolve(dirname(file), to));

const files = rooms.flatMap((room) =>
  readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules') && !name.startsWith('template/'))
    .map((name) => join(root, room, name)));

it('no file imports itself by way of others', () => {
  const imports = new Map(files.map((file) => [file, importsOf(file)]));
  const settled = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) {
      circles.push([...way.slice(way.indexOf(file)), file].map((one) => relative(root, one)).join(' → '));
      return;
    }
    if (settled.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...way, file]);
    settled.add(file);
  };
  for (const file of files) visit(file, []);

  expect(circles).toEqual([]);
});

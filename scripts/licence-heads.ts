/**
 * Puts `SPDX-License-Identifier: Apache-2.0` at the head of every source that lacks it. With `--check` it writes nothing, names them
 * and fails. What is copied into packages of others (kit/template) says nothing of the licence.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));

const words = 'SPDX-License-Identifier: Apache-2.0';
const slashes = /\.(ts|mts|mjs|cjs|cc|h|idl)$/;
const hashes = /\.(sh|py)$/;

/** No sources of the product: what was found out, what is built, what is recorded, what others get to change. */
const passedOver = new Set(['findings', 'node_modules', 'build', 'dist', 'dist-packages', 'lib.new', 'coverage', 'run', '.git', '.cache', 'template', 'golden', 'fixtures']);

/** Sources without their head, by their path below the repository. */
export function withoutHead(root = repository): readonly string[] {
  const found: string[] = [];
  const walk = (directory: string): void => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory() && !passedOver.has(entry.name) && path !== 'lib' && path !== 'client/lib') walk(path);
      if (entry.isFile() && headOf(entry.name, path, root) !== undefined && !readFileSync(join(root, path), 'utf8').slice(0, 400).includes(words)) found.push(path);
    }
  };
  walk('');
  return found.toSorted();
}

/** The line that a file gets; `undefined` for one that is no source. Programs without an ending say by `#!` what they are. */
function headOf(name: string, path: string, root: string): string | undefined {
  if (slashes.test(name)) return `// ${words}\n`;
  if (hashes.test(name)) return `# ${words}\n`;
  return !name.includes('.') && readFileSync(join(root, path)).subarray(0, 2).toString('latin1') === '#!' ? `# ${words}\n` : undefined;
}

/** Behind a `#!`, else at the very beginning. */
function withHead(text: string, head: string): string {
  const after = text.startsWith('#!') ? text.indexOf('\n') + 1 : 0;
  return `${text.slice(0, after)}${head}${text.slice(after)}`;
}

function main(): void {
  const missing = withoutHead();
  if (process.argv.includes('--check')) {
    for (const path of missing) process.stderr.write(`${path} does not say its licence: run node scripts/licence-heads.ts\n`);
    process.exitCode = missing.length > 0 ? 1 : 0;
    return;
  }
  for (const path of missing) {
    const file = join(repository, path);
    writeFileSync(file, withHead(readFileSync(file, 'utf8'), headOf(path.slice(path.lastIndexOf('/') + 1), path, repository) ?? ''));
  }
}

if (import.meta.main) main();

// SPDX-License-Identifier: Apache-2.0
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { version } from '../../config/product.ts';
import { systemError } from '../../shared/system-error.ts';
import type { SubcommandContext } from '../subcommand.ts';

/** The template lies in the package, at the same place for the bundle and for the sources. */
function templateDirectory(): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const candidate = join(directory, 'kit/template');
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (directory === dirname(directory)) throw AgentError.failed('this installation has no template of a backend: install the npm package');
  }
}

/** `kit new DIR`: the template with the name of the directory. Nothing that is there is touched. */
export async function run({ words, print }: SubcommandContext): Promise<number> {
  const [verb, given, ...more] = words;
  if (verb !== undefined && verb !== 'new') throw AgentError.failed(`there is no 'kit ${verb}': use kit new DIR`);
  if (given === undefined || more.length > 0) throw AgentError.failed('say where the package is to be written: kit new DIR');
  const directory = resolve(given);
  const name = basename(directory);
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw AgentError.failed(`'${name}' cannot be a package's name: call the directory something in lower-case words with hyphens, such as backend-acme`);
  }
  const template = templateDirectory();
  const source = sourceOf(dirname(dirname(template)), directory);
  write(template, directory, { name, source });
  // Only a clone lacks them, and a clone's source is a path.
  const build = isBuilt(template) ? '' : `  npm --prefix ${source.replace(/^file:/, '')} run build:package\n`;
  print(
    `${directory} has a backend with a clock, files and host information, an example of freezing, and tests that hold it to the contract.\n\n`
    + `  cd ${given}\n${build}  npm install\n  npm test\n  npm run agent\n\n`
    + `It depends on concierge-ga ${source}${build === '' ? '' : ', a clone whose entry points are not built'}. Its tests need Node 22 or later.\n`
    + 'Then: docs/writing-a-backend.md in the package concierge-ga.\n',
  );
  return 0;
}

const isBuilt = (template: string): boolean => existsSync(join(template, '../../lib/kit/index.js'));

/** What npm is to install: the release where this package is from a registry, else the package itself where it lies. */
function sourceOf(packageDirectory: string, from: string): string {
  try {
    const lock = JSON.parse(readFileSync(join(packageDirectory, '../.package-lock.json'), 'utf8')) as {
      readonly packages?: Readonly<Record<string, { readonly resolved?: string }>>;
    };
    if (/^https?:/.test(lock.packages?.['node_modules/concierge-ga']?.resolved ?? '')) return `^${version}`;
  } catch {
    // Installed by something else than npm, or a clone.
  }
  return `file:${relative(from, packageDirectory)}`;
}

/** Files of the template that are copied as they are: they have no name in them. */
const isText = (name: string): boolean => /\.(?:ts|json|md)$/.test(name);

function write(template: string, directory: string, { name, source }: { readonly name: string; readonly source: string }): void {
  const id = name.replace(/^(?:concierge-)?backend-/, '');
  try {
    if (existsSync(directory) && readdirSync(directory).length > 0) throw AgentError.failed(`${directory} is not empty: name a new directory`);
    cpSync(template, directory, { recursive: true });
    // npm leaves files of this name out of what it packs.
    renameSync(join(directory, 'gitignore'), join(directory, '.gitignore'));
    for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(isText)) {
      const path = join(directory, file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.replaceAll('backend-template', name).replaceAll('template-os', id).replaceAll('CONCIERGE_VERSION', version).replaceAll('CONCIERGE_SOURCE', source));
    }
  } catch (error) {
    throw systemError(error, directory);
  }
}

import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

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
  write(directory, name);
  print(
    `${directory} has a backend with a clock, files and host information, and tests that hold it to the contract.\n\n`
    + `  cd ${given}\n  npm install\n  npm test\n\n`
    + 'It depends on the npm package concierge-ga. From a clone: npm pack there, and here npm install PATH/concierge-ga-VERSION.tgz first.\n'
    + 'Then: docs/writing-a-backend.md in the package concierge-ga.\n',
  );
  return 0;
}

function write(directory: string, name: string): void {
  try {
    if (existsSync(directory) && readdirSync(directory).length > 0) throw AgentError.failed(`${directory} is not empty: name a new directory`);
    cpSync(templateDirectory(), directory, { recursive: true });
    // npm leaves files of this name out of what it packs.
    renameSync(join(directory, 'gitignore'), join(directory, '.gitignore'));
    for (const file of ['package.json', 'README.md', 'src/index.ts', 'test/contract.test.ts']) {
      const path = join(directory, file);
      const id = name.replace(/^(?:concierge-)?backend-/, '');
      writeFileSync(path, readFileSync(path, 'utf8').replaceAll('backend-template', name).replaceAll('template-os', id).replaceAll('CONCIERGE_VERSION', version));
    }
  } catch (error) {
    throw systemError(error, directory);
  }
}

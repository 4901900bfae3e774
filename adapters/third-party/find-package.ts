// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';

import { AgentError, messageOf } from '../../core/errors/agent-error.ts';

/** A package on the disk. */
export interface FoundPackage {
  /** Without a link in it. */
  readonly directory: string;
  /** The path under which it was found, whose links count too. */
  readonly found: string;
  /** The file to import. */
  readonly entry: string;
}

const isPath = (name: string): boolean => isAbsolute(name) || name.startsWith('./') || name.startsWith('../') || name.startsWith('.\\') || name === '.';

/**
 * Finds a package by path (a directory, or a file) or by name: in the `node_modules` of each of `from` and of the
 * directories above, as Node looks for it.
 *
 * @throws failed error that says where was looked
 */
export function findPackage(name: string, from: readonly string[]): FoundPackage {
  if (isPath(name)) return atPath(name);
  for (const start of from) {
    for (let directory = resolve(start); ; directory = dirname(directory)) {
      const candidate = join(directory, 'node_modules', name);
      if (existsSync(join(candidate, 'package.json'))) return ofDirectory(candidate, name);
      if (directory === dirname(directory)) break;
    }
  }
  throw AgentError.failed(`no package '${name}' is installed in or above ${from.join(', ')}: install it there, or give its path, beginning with ./ or /`);
}

function atPath(name: string): FoundPackage {
  const path = resolve(name);
  if (!existsSync(path)) throw AgentError.failed(`there is no backend at ${path}`);
  const real = realpathSync(path);
  return statSync(real).isDirectory() ? ofDirectory(path, name) : { directory: dirname(real), found: path, entry: real };
}

function ofDirectory(found: string, name: string): FoundPackage {
  const directory = realpathSync(found);
  const file = join(directory, 'package.json');
  if (!existsSync(file)) throw AgentError.failed(`${directory} has no package.json: it is no package`);
  const manifest = readManifest(file);
  const entry = entryOf(manifest['exports']) ?? (typeof manifest['main'] === 'string' ? manifest['main'] : 'index.js');
  const path = resolve(directory, entry);
  if (!existsSync(path)) throw AgentError.failed(`the package '${name}' says that it begins in ${entry}, and there is no such file: build it`);
  return { directory, found, entry: path };
}

function readManifest(file: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw AgentError.failed(`${file} is no JSON: ${messageOf(error)}`);
  }
  throw AgentError.failed(`${file} is no JSON object`);
}

/** What `exports` has for the package itself, for Node and ES modules. */
function entryOf(exported: unknown): string | undefined {
  if (typeof exported === 'string') return exported;
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) return undefined;
  for (const condition of ['.', 'node', 'import', 'module-sync', 'default', 'require']) {
    const found = entryOf(Reflect.get(exported, condition));
    if (found !== undefined) return found;
  }
  return undefined;
}

// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

import { AgentError } from '../../core/errors/agent-error.ts';
import type { Backend } from '../../core/ports/index.ts';
import { placeGuard } from '../shared/trust/place-guard.ts';
import { guardBackend } from './validation/guard-backend.ts';
import { definitionIn, type BackendDefinition, type BackendOptions } from './backend-definition.ts';
import { loadBackend } from './load-backend.ts';
import { findPackage } from './find-package.ts';
import { boundResolution } from './bounded-resolution.ts';
import { distrust, distrustPath } from './trusted-place.ts';

/** Where packages of backends are looked for: beside the agent, in the directory in which it was started, and system-wide. */
export const backendPlaces = (): readonly string[] => [
  resolve(import.meta.dirname, '..'),
  ...(process.getuid?.() === 0 ? [] : [process.cwd()]),
  '/usr/local/lib',
  '/usr/lib',
];

/**
 * The definition in a package, which is code of somebody else: only from a place where nobody else could have put it.
 *
 * @throws failed error with the reason, and with what to do
 */
export function thirdPartyDefinition(name: string): BackendDefinition {
  return definitionAt(name).definition;
}

function definitionAt(name: string): { readonly definition: BackendDefinition; readonly directory: string } {
  const { directory, found, entry } = findPackage(name, backendPlaces());
  const reason = process.getuid === undefined ? placeGuard()?.whyDistrusted(directory) : (distrustPath(found) ?? distrust(directory));
  if (reason !== undefined) throw AgentError.failed(`the backend '${name}' is not loaded from ${directory}: ${reason}`);
  if (process.getuid !== undefined) boundResolution(directory);
  let loaded: unknown;
  try {
    // Node loads ES modules this way, too, from 22.12 on; the bundle of the agent is no ES module itself.
    loaded = createRequire(import.meta.url)(entry);
  } catch (error) {
    throw AgentError.failed(`the backend '${name}' cannot be loaded: ${reasonOf(error, directory)}`, error);
  }
  return { definition: definitionIn(typeof loaded === 'object' && loaded !== null ? (loaded as Readonly<Record<string, unknown>>) : {}, name), directory };
}

function reasonOf(error: unknown, directory: string): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ERR_REQUIRE_ASYNC_MODULE') return 'it awaits something while it is loaded: do that in `load`';
  const place = placeIn(error.stack ?? '', directory);
  return place === undefined ? error.message : `${error.message} (${place})`;
}

/** Where in the package it was thrown: `dist/index.js:12:5`, of a file that cannot be parsed without the column. */
function placeIn(stack: string, directory: string): string | undefined {
  const at = stack.indexOf(`${directory}/`);
  return at === -1 ? undefined : /^[^\s)]+:\d+/.exec(stack.slice(at + directory.length + 1))?.[0];
}

/**
 * Loads a backend and puts its border around it: what it answers against the ports' contracts is an error with the names
 * of port and method.
 *
 * @throws failed error that says what to fix
 */
export async function createThirdPartyBackend(name: string, options: BackendOptions): Promise<Backend> {
  const { definition, directory } = definitionAt(name);
  try {
    return guardBackend(await loadBackend(definition, options), definition.id);
  } catch (error) {
    if (AgentError.is(error)) throw error;
    throw AgentError.failed(`the backend '${definition.id}' cannot be loaded: ${reasonOf(error, directory)}`, error);
  }
}

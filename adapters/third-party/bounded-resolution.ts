// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { AgentError } from '../../core/errors/agent-error.ts';
import { borderAbove, distrust } from './trusted-place.ts';

/**
 * Lets what lies below a border find nothing above it. Node looks for a dependency in the `node_modules` of every directory up to
 * the root; where one of them is like /tmp, anybody could put the missing one there, also after the package was looked at.
 *
 * @throws failed error where this Node has no hooks for that
 */
export function boundResolution(directory: string): void {
  const border = borderAbove(directory);
  if (border === undefined || borders.has(border)) return;
  if (typeof nodeModule.registerHooks !== 'function') {
    throw AgentError.failed(`others may write to ${dirname(border)}, and Node before 22.15 would load what it finds there: move the package to where only its user can write`);
  }
  if (borders.size === 0) nodeModule.registerHooks({ resolve });
  borders.add(border);
}

const borders = new Set<string>();

const resolve: nodeModule.ResolveHookSync = (specifier, context, nextResolve) => {
  const found = nextResolve(specifier, context);
  const from = pathOf(context.parentURL);
  const to = pathOf(found.url);
  if (from === undefined || to === undefined) return found;
  for (const border of borders) {
    if (isBelow(from, border) && !isBelow(to, border)) refuseStrange(specifier, { from, to, border });
  }
  return found;
};

interface Leap {
  readonly from: string;
  readonly to: string;
  readonly border: string;
}

/** Out of the border leads a link in it, or a path that the package's author wrote: where that ends is judged like the package. */
function refuseStrange(specifier: string, { from, to, border }: Leap): void {
  if (!/^\.{0,2}\/|^file:/.test(specifier) && !isInside(specifier, from, border)) {
    throw AgentError.failed(`'${specifier}' is not installed in ${border}: it was found at ${to}, and others may write to ${dirname(border)}`);
  }
  const reason = distrust(dirname(to));
  if (reason !== undefined) throw AgentError.failed(`'${specifier}' is not loaded from ${to}: ${reason}`);
}

/** Whether a `node_modules` below the border has it. */
function isInside(specifier: string, from: string, border: string): boolean {
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  for (let directory = dirname(from); isBelow(directory, border); directory = dirname(directory)) {
    if (existsSync(join(directory, 'node_modules', name))) return true;
  }
  return false;
}

const isBelow = (path: string, border: string): boolean => path === border || path.startsWith(`${border}/`);

const pathOf = (url: string | undefined): string | undefined => (url?.startsWith('file:') === true ? fileURLToPath(url) : undefined);

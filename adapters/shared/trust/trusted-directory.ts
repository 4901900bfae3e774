// SPDX-License-Identifier: Apache-2.0
import { closeWalk, walkPath } from './path-walk.ts';
import { agentUser, whyDistrusted } from './rule.ts';

const ENOENT = 2;

/** Whether a directory is trusted, or could be made where it is missing: for who can choose another one. */
export function isTrustedDirectory(path: string): boolean {
  const walk = walkPath(path);
  closeWalk(walk);
  return (walk.errno === 0 || walk.errno === ENOENT) && whyDistrusted(walk.steps, agentUser(), { passed: walk.errno === ENOENT }) === undefined;
}

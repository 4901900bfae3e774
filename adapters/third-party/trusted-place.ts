// SPDX-License-Identifier: Apache-2.0
import { lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { closeWalk, walkPath, type PathStep } from '../shared/trust/path-walk.ts';
import { agentUser, whyDistrusted, type AgentUser, type Leniency } from '../shared/trust/rule.ts';

/** How many files a package may have before it is no package. */
const mostFiles = 20_000;

/** Code is for root alone to write, where root runs it: not even for the group root. */
const ofCode = (agent: AgentUser): Leniency => (agent.uid === 0 ? { ownGroup: 'refused' } : {});

/**
 * Why code must not be loaded from a directory, or nothing. Whoever can write there, or to any directory above, would run
 * code as the agent's user; for root all that is in it is looked at as well.
 *
 * @param directory the package's, by the name under which it was found: links on the way count too
 */
export function distrust(directory: string, agent = agentUser()): string | undefined {
  return distrustPath(directory, agent) ?? (agent.uid === 0 ? distrustContents(directory, agent) : undefined);
}

/** The same of the way there alone, links and all. */
export function distrustPath(path: string, agent = agentUser()): string | undefined {
  return whyDistrusted(stepsTo(path), agent, ofCode(agent));
}

function stepsTo(path: string): readonly PathStep[] {
  const walk = walkPath(path);
  closeWalk(walk);
  return walk.steps;
}

function distrustContents(directory: string, agent: AgentUser): string | undefined {
  const waiting = [directory];
  let files = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      files += 1;
      if (files > mostFiles) return `${directory} has more than ${mostFiles} files: it is no package`;
      const path = join(at, entry.name);
      const reason = entry.isSymbolicLink() ? distrustLink(path, agent) : distrustEntry(path, agent);
      if (reason !== undefined) return reason;
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  return undefined;
}

function distrustEntry(path: string, agent: AgentUser): string | undefined {
  const { uid, gid, mode, nlink } = lstatSync(path);
  return whyDistrusted([{ path, uid, gid, mode, names: nlink, accessList: false }], agent, ofCode(agent));
}

/** What a link leads to has an owner of its own, who may be anybody. Nothing can be loaded from one that leads nowhere. */
function distrustLink(path: string, agent: AgentUser): string | undefined {
  const reason = distrustPath(path, agent);
  return reason === undefined ? undefined : `${reason} (${path} leads there)`;
}

/**
 * The directory above which others may put things, sticky bit or not, though they cannot exchange it: `/tmp/x` for
 * `/tmp/x/node_modules/y`. Nothing where there is none.
 */
export function borderAbove(directory: string): string | undefined {
  const steps = stepsTo(directory);
  const open = steps.findLastIndex((step, index) => index < steps.length - 1 && whyDistrusted([step], agentUser()) !== undefined);
  const above = steps[open]?.path;
  if (above === undefined) return undefined;
  let border = steps.at(-1)?.path ?? directory;
  while (dirname(border) !== above && dirname(border) !== border) border = dirname(border);
  return border;
}

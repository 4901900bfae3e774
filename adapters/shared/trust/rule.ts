// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';

import type { PathStep } from './path-walk.ts';

/** Whom the agent trusts besides root: itself. */
export interface AgentUser {
  readonly uid: number;
  readonly gid: number;
}

export const agentUser = (): AgentUser => ({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 });

export interface Leniency {
  /**
   * What is opened without following a link, and is taken only where it belongs to the agent and has one name, may lie where
   * a group of the system writes too: /var/log of Ubuntu is root:syslog 0775.
   */
  readonly systemGroups?: boolean;
  /** Not even the group root, or the user's own, may write. */
  readonly ownGroup?: 'refused';
  /** The way goes on behind the last step: something is about to be made there, and made new. */
  readonly passed?: boolean;
}

const sticky = 0o1000;
const byGroup = 0o020;
const byEverybody = 0o002;

/** SYS_GID_MAX of login.defs(5). */
const lastSystemGroup = 999;

const isDirectory = (mode: number): boolean => (mode & constants.S_IFMT) === constants.S_IFDIR;
const isLink = (mode: number): boolean => (mode & constants.S_IFMT) === constants.S_IFLNK;

/**
 * Why a place must not be trusted, as a sentence that names the directory, link or file that is to blame; nothing where it
 * may. The one rule for whatever the agent reads as an order, runs, or writes under a name that somebody gave it: all on the
 * way belongs to root or to the agent's user, and nobody else may write to it.
 *
 * A directory like /tmp, where everybody may write and the sticky bit keeps others from taking away what is not theirs, is
 * passed through: what comes next has to belong to root or the agent, and to have no second name, for a hard link is made by
 * others.
 */
export function whyDistrusted(steps: readonly PathStep[], agent: AgentUser, leniency: Leniency = {}): string | undefined {
  let shared = false;
  for (const [index, step] of steps.entries()) {
    const { path, uid, mode } = step;
    if (uid !== 0 && uid !== agent.uid) return belongsTo(path, uid, agent);
    if (shared && !isDirectory(mode) && step.names > 1) return `${path} has a second name (a hard link), and others may write to the directory that it is in`;
    if (isLink(mode)) continue;
    const writers = otherWriters(step, agent, leniency);
    const isPassed = isDirectory(mode) && (index < steps.length - 1 || leniency.passed === true);
    shared = writers !== undefined;
    if (writers === undefined || (isPassed && (mode & sticky) !== 0)) continue;
    if (isDirectory(mode) && leniency.systemGroups === true && isOfSystemGroup(step)) continue;
    return `${path} can be written by ${writers.who}: ${(mode & sticky) === 0 ? writers.remedy : 'choose a directory in it'}`;
  }
  return undefined;
}

const belongsTo = (path: string, uid: number, agent: AgentUser): string =>
  agent.uid === 0
    ? `${path} belongs to user ${uid} and not to root: run chown root on it`
    : `${path} belongs to user ${uid}, neither to root nor to the agent's user`;

/** Who may write besides root and the agent's user, and what would take that away. */
function otherWriters({ mode, gid, accessList }: PathStep, agent: AgentUser, { ownGroup }: Leniency): { readonly who: string; readonly remedy: string } | undefined {
  if ((mode & byEverybody) !== 0) return { who: 'everybody', remedy: 'run chmod o-w on it' };
  if ((mode & byGroup) === 0) return undefined;
  if (accessList) return { who: 'others than its owner, by an access list', remedy: 'run setfacl -b on it' };
  // The group root is root's own, and so is the group that some systems make for each user.
  if (ownGroup !== 'refused' && (gid === 0 || (gid === agent.gid && gid === agent.uid))) return undefined;
  return { who: `the group ${gid}`, remedy: 'run chmod g-w on it' };
}

const isOfSystemGroup = ({ mode, gid, accessList }: PathStep): boolean => (mode & byEverybody) === 0 && !accessList && gid <= lastSystemGroup;

// SPDX-License-Identifier: Apache-2.0

/**
 * What `Processes.locate` is to be asked with for a program that gets the agent's environment with these changes, which are made one after the other: the
 * last one of PATH is what it sees. Absent: the agent's own.
 */
export function searchAfterChanges(changes: readonly string[]): readonly string[] | undefined {
  const last = changes.findLast((change) => change === 'PATH' || change.startsWith('PATH='));
  return last === undefined || last === 'PATH' ? undefined : [last];
}

// SPDX-License-Identifier: Apache-2.0
import { labDirectory } from './lab.ts';
import type { FreezeCandidate, Freezing, FrozenTarget } from '../../../core/ports/freezing.ts';

const belongs = (mountPoint: string): boolean => mountPoint.startsWith(`${labDirectory}/`);

/**
 * The same port with everything outside of the lab excluded, and a second look at what is begun: no test may ever
 * freeze a file system of the machine it runs on.
 */
export function fenced(freezing: Freezing): Freezing {
  const check = (targets: readonly FrozenTarget[]): void => {
    const stray = targets.find(({ mountPoint }) => !belongs(mountPoint));
    if (stray !== undefined) throw new Error(`a test tried to freeze or thaw ${stray.mountPoint}`);
  };
  const survey = async (): Promise<readonly FreezeCandidate[]> => (await freezing.survey()).map(fence);
  return {
    survey,
    begin: (request) => {
      check(request.levels.flat());
      return freezing.begin(request);
    },
    recover: (marker) => {
      check(marker.targets);
      return freezing.recover(marker);
    },
    thawEverything: async (only, except) => {
      const listed = only ?? (await survey())
        .filter(({ id, leftOut }) => leftOut === undefined && except?.has(id) !== true)
        .map(({ id, mountPoints }) => ({ id, mountPoint: mountPoints[0] ?? id }));
      check(listed);
      return freezing.thawEverything(listed);
    },
  };
}

const fence = (candidate: FreezeCandidate): FreezeCandidate =>
  candidate.mountPoints.every(belongs)
    ? candidate
    : { ...candidate, leftOut: candidate.leftOut ?? { reason: 'excluded', detail: 'it belongs to the machine that runs the tests' } };

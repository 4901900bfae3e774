// SPDX-License-Identifier: Apache-2.0
import { win32 } from 'node:path';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { windowsGuard } from './trusted-place.ts';

/** The folders that this program is run from. */
export const programFolders = (): readonly string[] => [...new Set([process.execPath, process.argv[1] ?? process.execPath].map((path) => win32.dirname(win32.resolve(path))))];

/** Why what is run from here must not be a service of LocalSystem; nothing where it may. */
export function whyProgramDistrusted(): string | undefined {
  for (const folder of programFolders()) {
    const reason = windowsGuard.whyDistrusted(folder);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** @throws failed error: what SYSTEM runs must not be anybody else's to write, as it is in a zip unpacked below `C:\\` */
export function demandTrustedProgram(what: string): void {
  const reason = whyProgramDistrusted();
  if (reason !== undefined) throw AgentError.failed(`${what} is refused: SYSTEM would run what others can write: ${reason}, or move it to a folder below Program Files`);
}

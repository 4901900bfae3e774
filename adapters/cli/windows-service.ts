// SPDX-License-Identifier: Apache-2.0
import { within } from '../shared/within.ts';
import type { SystemLog } from '../shared/system-log.ts';
import type { Foreground } from './daemon.ts';
import type { RunResult } from './run.ts';

/** The service manager of Windows, as whoever started this process. What is said to it goes to the event log. */
export interface Service extends Foreground {
  readonly system?: SystemLog;
}

/** How long the last entries of the event log may take, in milliseconds. */
const lastEntriesMs = 2000;

/**
 * Runs as a service, from before the configuration is read: what is wrong with that has no other way to an administrator than
 * the event log. `undefined` where no service manager has started this process.
 */
export async function runAsService(body: (service: Service) => Promise<RunResult>): Promise<RunResult | undefined> {
  const { EventLog, liveAsService } = await import('../windows/module.ts');
  const system = new EventLog();
  return liveAsService(async ({ ready }) => {
    const result = await body({ ready, say: (text) => system.report('error', text), system });
    await within(lastEntriesMs, system.settled());
    return result;
  }, (ended) => ('status' in ended ? ended.status : 1));
}

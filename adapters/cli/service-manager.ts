// SPDX-License-Identifier: Apache-2.0
import type { ProcessAddon } from './process-addon.ts';

/** Tells the service manager how things are; nothing where there is none. */
export type Notify = (state: string) => void;

/** sd_notify(3). Takes NOTIFY_SOCKET out of the environment, so that no child speaks for the agent. */
export function serviceNotifier(environment: NodeJS.ProcessEnv, addon: Pick<ProcessAddon, 'sendDatagram'> | undefined): Notify {
  const socket = environment['NOTIFY_SOCKET'];
  delete environment['NOTIFY_SOCKET'];
  if (socket === undefined || !/^[/@]/.test(socket) || addon === undefined) return () => undefined;
  return (state) => {
    try {
      addon.sendDatagram(socket, Buffer.from(state));
    } catch {
      // A manager that does not listen is none.
    }
  };
}

// SPDX-License-Identifier: Apache-2.0
import type { Backend } from '../../core/ports/index.ts';
import { windowsAccounts } from './accounts.ts';
import { windowsClock } from './clock.ts';
import { windowsDiagnosis } from './diagnosis/diagnosis.ts';
import { windowsDisks } from './disks.ts';
import { replaceDlls } from './dll.ts';
import { windowsFiles } from './files.ts';
import { WindowsFreezing } from './freezing.ts';
import { windowsHost } from './host.ts';
import { windowsNetwork } from './network.ts';
import { windowsPower } from './power.ts';
import { windowsProcesses } from './processes.ts';
import { windowsProcessors } from './processors.ts';
import { windowsTrimming } from './trimming.ts';
import { windowsUsage } from './usage.ts';
import type { WriterRule } from './vss/snapshot-set.ts';

/* One chunk of the bundle has all of Windows: a second one would have its own tables of DLLs. */
export { startChild } from './diagnosis/self-test.ts';
export { EventLog } from './event-log.ts';
export { installService, startService, stopService, uninstallService } from './service-control.ts';
export { demandTrustedProgram } from './trust/program-place.ts';
export { windowsGuard } from './trust/trusted-place.ts';
export { liveAsService } from './service-main.ts';
export { windowsChannels } from './channels/windows-channels.ts';
export { registerProvider, unregisterProvider } from './vss/registration.ts';

export interface WindowsBackendOptions {
  /** guest-network-get-route, which the reference has on Windows since 11.0; without it the protocol of older ones. */
  readonly routes?: boolean;
  /** What a writer of VSS that fails does to the freeze that it has a part in. */
  readonly writers?: WriterRule;
  /** DLLs to load in place of the system's: doubles in tests. */
  readonly dlls?: Readonly<Record<string, string>>;
  /** Told what goes wrong after a command was answered. */
  readonly onLateFailure?: (sentence: string) => void;
}

/**
 * The backend of 64-bit Windows 10, Server 2016 and later. Memory blocks, statistics of processors and of disks,
 * and switching of processors are absent, and their commands with them, as in the reference.
 */
export function windowsBackend({ routes = true, dlls = {}, writers, onLateFailure }: WindowsBackendOptions = {}): Backend {
  replaceDlls(dlls);
  return {
    clock: windowsClock,
    fileSystem: {
      files: windowsFiles,
      freezing: new WindowsFreezing(writers === undefined ? {} : { writers }),
      trimming: windowsTrimming(),
      usage: windowsUsage,
      disks: windowsDisks,
    },
    power: windowsPower(onLateFailure === undefined ? {} : { onLateFailure }),
    network: windowsNetwork({ routes }),
    processes: windowsProcesses,
    accounts: windowsAccounts,
    processors: windowsProcessors(),
    host: windowsHost,
    diagnosis: windowsDiagnosis(),
  };
}

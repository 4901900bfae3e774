// SPDX-License-Identifier: Apache-2.0
/** What the packages for Windows hold and the MSI installs, below its folder. The tests hold both to it. */
export const installedFiles: readonly string[] = [
  'LICENSE.txt',
  'app/agent.cjs',
  'app/agent.cjs.LEGAL.txt',
  'app/cli-daemon.cjs',
  'app/cli-subcommands-backends.cjs',
  'app/cli-subcommands-doctor.cjs',
  'app/cli-subcommands-freeze.cjs',
  'app/cli-subcommands-kit.cjs',
  'app/cli-subcommands-policy.cjs',
  'app/cli-subcommands-service.cjs',
  'app/cli-subcommands-thaw.cjs',
  'app/cli-subcommands-vss.cjs',
  'app/concierge-ga.cjs',
  'app/concierge-vss.dll',
  'app/fake-module.cjs',
  'app/logging-winston-pipeline.cjs',
  'app/logging-winston-pipeline.cjs.LEGAL.txt',
  'app/node_modules/@koromix/koffi-win32-x64/README.md',
  'app/node_modules/@koromix/koffi-win32-x64/index.js',
  'app/node_modules/@koromix/koffi-win32-x64/package.json',
  'app/node_modules/@koromix/koffi-win32-x64/win32_x64/koffi.lib',
  'app/node_modules/@koromix/koffi-win32-x64/win32_x64/koffi.node',
  'app/node_modules/koffi/LICENSE.txt',
  'app/node_modules/koffi/index.cjs',
  'app/node_modules/koffi/package.json',
  'app/node_modules/koffi/src/koffi/index.cjs',
  'app/node_modules/koffi/src/koffi/src/static.cjs',
  'app/node_modules/koffi/src/koffi/src/trampolines.cjs',
  'app/package.json',
  'app/policy-parse-policy.cjs',
  'app/scenario.cjs',
  'app/third-party-third-party-backend.cjs',
  'app/windows-module.cjs',
  'concierge-ga.cmd',
  'concierge-ga.exe',
];

export interface InstalledValue {
  /** Below HKEY_LOCAL_MACHINE. */
  readonly key: string;
  readonly name: string;
  readonly type: 'REG_SZ' | 'REG_DWORD' | 'REG_MULTI_SZ';
  readonly value: string;
}

const services = 'SYSTEM\\CurrentControlSet\\Services';

/** What the MSI writes into the registry, besides what the service manager and COM+ keep of a service and a provider. */
export const installedValues: readonly InstalledValue[] = [
  { key: `${services}\\concierge-ga`, name: 'Environment', type: 'REG_MULTI_SZ', value: 'UV_THREADPOOL_SIZE=16' },
  { key: `${services}\\EventLog\\Application\\concierge-ga`, name: 'EventMessageFile', type: 'REG_SZ', value: 'C:\\windows\\system32\\EventCreate.exe' },
  { key: `${services}\\EventLog\\Application\\concierge-ga`, name: 'TypesSupported', type: 'REG_DWORD', value: '0x7' },
  { key: `${services}\\Concierge VSS Provider`, name: 'VssOption', type: 'REG_DWORD', value: '0x5' },
  { key: 'SOFTWARE\\Concierge\\Guest Agent', name: 'Options', type: 'REG_SZ', value: '' },
];

// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { advapi32, HKEY_LOCAL_MACHINE, SC_ACTION, SERVICE_DESCRIPTION, SERVICE_FAILURE_ACTIONS, SERVICE_FAILURE_ACTIONS_FLAG, SERVICE_STATUS, SERVICE_STATUS_PROCESS } from './bindings/advapi32.ts';
import { quoted } from './command-line.ts';
import { lastError } from './dll.ts';
import { keepAlive, koffi, type Pointer } from './koffi.ts';
import { readFields, structure, wide } from './layout.ts';
import { deleteRegistryKey, writeRegistryKey } from './registry.ts';
import { eventMessageFile, eventSourceKey, serviceDescription, serviceDisplayName, serviceName } from './service-identity.ts';
import { lastWindowsError, windowsErrorOf } from './system-error.ts';

const SC_MANAGER_CONNECT = 1;
const SC_MANAGER_CREATE_SERVICE = 2;
const SERVICE_ALL_ACCESS = 0xf01ff;
const SERVICE_WIN32_OWN_PROCESS = 0x10;
const SERVICE_AUTO_START = 2;
const SERVICE_ERROR_NORMAL = 1;
const SERVICE_CONFIG_DESCRIPTION = 1;
const SERVICE_CONFIG_FAILURE_ACTIONS = 2;
const SERVICE_CONFIG_FAILURE_ACTIONS_FLAG = 4;
const SC_ACTION_RESTART = 1;
const SERVICE_CONTROL_STOP = 1;
const ERROR_ACCESS_DENIED = 5;
const ERROR_INVALID_LEVEL = 124;
const ERROR_SERVICE_NOT_ACTIVE = 1062;
const ERROR_SERVICE_SPECIFIC_ERROR = 1066;
const states = { stopped: 1, startPending: 2, running: 4 } as const;

const serviceKey = `SYSTEM\\CurrentControlSet\\Services\\${serviceName}`;

/** How long a service may take to start and to stop: a thaw may come before the stop. */
const patienceMs = 60_000;
const lookMs = 100;

/**
 * Creates the service: automatic start, LocalSystem, restarted after 1, 5 and 30 seconds when it fails.
 *
 * @param words the command line, program first; every word is quoted, so that a blank in the path is none in the service
 * @throws failed error; then there is no service
 */
export function installService(words: readonly string[]): void {
  withManager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE, (manager) => {
    const service = advapi32.CreateServiceW(manager, serviceName, serviceDisplayName, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
      SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, words.map(quoted).join(' '), null, null, null, null, null);
    if (service === 0n) throw refusal('Failed to install service', 'CreateService');
    try {
      describe(service);
      restartAfterFailure(service);
      // More threads for libuv than the four that it has by itself: a disk that hangs must not take all of them.
      writeRegistryKey(HKEY_LOCAL_MACHINE, serviceKey, { Environment: ['UV_THREADPOOL_SIZE=16'] });
      writeRegistryKey(HKEY_LOCAL_MACHINE, eventSourceKey, { EventMessageFile: eventMessageFile, TypesSupported: 7 });
    } catch (error) {
      advapi32.DeleteService(service);
      throw withContext('Failed to install service', error);
    } finally {
      advapi32.CloseServiceHandle(service);
    }
  });
}

/** Stops and deletes the service, and forgets the source of its events. */
export async function uninstallService(): Promise<void> {
  await stopService();
  withService((service) => {
    if (advapi32.DeleteService(service) === 0) throw withContext('Failed to delete service', lastWindowsError('DeleteService'));
  });
  deleteRegistryKey(HKEY_LOCAL_MACHINE, eventSourceKey);
}

/** Resolves once the service runs. @throws failed error, where it ended instead too */
export async function startService(): Promise<void> {
  withService((service) => {
    if (advapi32.StartServiceW(service, 0, null) === 0) throw withContext('Failed to start service', lastWindowsError('StartService'));
  });
  const status = await statusAfter(({ dwCurrentState }) => dwCurrentState !== states.startPending);
  if (status.dwCurrentState === states.running) return;
  const { dwWin32ExitCode: code, dwServiceSpecificExitCode: its } = status;
  const ended = code === ERROR_SERVICE_SPECIFIC_ERROR ? `it ended with status ${its}` : `error ${code}`;
  throw AgentError.failed(`the service ${serviceName} did not start (${ended}): the event log of applications says why`);
}

/** Resolves once the service has stopped. One that does not run is stopped already. */
export async function stopService(): Promise<void> {
  withService((service) => {
    if (advapi32.ControlService(service, SERVICE_CONTROL_STOP, Buffer.alloc(SERVICE_STATUS.size)) !== 0) return;
    const code = lastError();
    if (code !== ERROR_SERVICE_NOT_ACTIVE) throw withContext('Failed to stop service', windowsErrorOf(code, { syscall: 'ControlService' }));
  });
  const { dwCurrentState } = await statusAfter((now) => now.dwCurrentState === states.stopped);
  if (dwCurrentState !== states.stopped) throw AgentError.failed(`the service ${serviceName} did not stop within ${patienceMs / 1000} s`);
}

type Status = ReturnType<typeof statusOf>;

async function statusAfter(reached: (status: Status) => boolean): Promise<Status> {
  for (let waited = 0; ; waited += lookMs) {
    const status = withService(statusOf);
    if (reached(status) || waited >= patienceMs) return status;
    await new Promise((resolve) => {
      setTimeout(resolve, lookMs);
    });
  }
}

function statusOf(service: Pointer) {
  const status = Buffer.alloc(SERVICE_STATUS_PROCESS.size);
  if (advapi32.QueryServiceStatusEx(service, 0, status, status.length, [0]) === 0) throw lastWindowsError('QueryServiceStatusEx');
  return readFields(SERVICE_STATUS_PROCESS, status);
}

function describe(service: Pointer): void {
  const text = wide(serviceDescription);
  configure(service, SERVICE_CONFIG_DESCRIPTION, structure(SERVICE_DESCRIPTION, { lpDescription: koffi().address(text) }));
  keepAlive(text);
}

function restartAfterFailure(service: Pointer): void {
  const actions = Buffer.concat([1_000, 5_000, 30_000].map((ms) => structure(SC_ACTION, { Type: SC_ACTION_RESTART, Delay: ms })));
  // A day without a failure, and counting begins anew.
  const info = structure(SERVICE_FAILURE_ACTIONS, { dwResetPeriod: 86_400, cActions: 3, lpsaActions: koffi().address(actions) });
  configure(service, SERVICE_CONFIG_FAILURE_ACTIONS, info);
  keepAlive(actions);
  // One that says how it failed is one that failed, too.
  configure(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, structure(SERVICE_FAILURE_ACTIONS_FLAG, { fFailureActionsOnNonCrashFailures: 1 }), [ERROR_INVALID_LEVEL]);
}

/** @param unless codes of a system that lacks the setting (Wine) */
function configure(service: Pointer, level: number, info: Buffer, unless: readonly number[] = []): void {
  if (advapi32.ChangeServiceConfig2W(service, level, info) !== 0) return;
  const code = lastError();
  if (!unless.includes(code)) throw windowsErrorOf(code, { syscall: 'ChangeServiceConfig2' });
}

/** What the service manager said to the last call, and what to do where it wants more rights. */
function refusal(text: string, syscall: string): AgentError {
  const code = lastError();
  const error = withContext(text, windowsErrorOf(code, { syscall }));
  return code === ERROR_ACCESS_DENIED ? AgentError.failed(`${error.message} (run this as an administrator, elevated)`, error) : error;
}

function withManager<T>(access: number, use: (manager: Pointer) => T): T {
  const manager = advapi32.OpenSCManagerW(null, null, access);
  if (manager === 0n) throw refusal('No handle to service control manager', 'OpenSCManager');
  try {
    return use(manager);
  } finally {
    advapi32.CloseServiceHandle(manager);
  }
}

function withService<T>(use: (service: Pointer) => T): T {
  return withManager(SC_MANAGER_CONNECT, (manager) => {
    const service = advapi32.OpenServiceW(manager, serviceName, SERVICE_ALL_ACCESS);
    if (service === 0n) throw refusal('No handle to service', 'OpenService');
    try {
      return use(service);
    } finally {
      advapi32.CloseServiceHandle(service);
    }
  });
}

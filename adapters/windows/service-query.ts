// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../core/errors/agent-error.ts';
import { advapi32, QUERY_SERVICE_CONFIG, SERVICE_FAILURE_ACTIONS, SERVICE_PRESHUTDOWN_INFO, SERVICE_STATUS_PROCESS } from './bindings/advapi32.ts';
import type { Out, Pointer } from './koffi.ts';
import { Lane } from './lane.ts';
import { bytesWithin, readFields, textOf } from './layout.ts';
import { windowsErrorOf } from './system-error.ts';

const SC_MANAGER_CONNECT = 1;
const SERVICE_QUERY_CONFIG = 1;
const SERVICE_QUERY_STATUS = 4;
const SERVICE_CONFIG_FAILURE_ACTIONS = 2;
const SERVICE_CONFIG_PRESHUTDOWN_INFO = 7;
const SERVICE_RUNNING = 4;
const ERROR_SERVICE_DOES_NOT_EXIST = 1060;

/** By the numbers of SERVICE_BOOT_START and the following. */
const startTypes = ['boot', 'system', 'automatic', 'manual', 'disabled'] as const;

/** A service or a driver, as it is set up and as it is now. */
export interface ServiceFacts {
  readonly start: (typeof startTypes)[number];
  readonly running: boolean;
  /** The command line. */
  readonly command: string;
  /** `LocalSystem`; '' for a driver. */
  readonly account: string;
  /** How many actions are set up for a failure; absent where the manager does not tell, as that of Wine. */
  readonly recovery?: number;
  /** What it wants to be told of, now: `SERVICE_ACCEPT_STOP` and its like; nothing while it does not run. */
  readonly accepted: number;
  /** How long a shutdown waits for it before other services are told; absent where the manager does not tell. */
  readonly preshutdownMs?: number;
}

/** The account of SYSTEM, by either of its names. */
export const isLocalSystem = ({ account }: Pick<ServiceFacts, 'account'>): boolean => /^(?:nt authority\\|\.\\)?(?:localsystem|system)$/i.test(account);

/**
 * Asks the service manager, which anybody may. Every call is made on a thread.
 *
 * @returns `undefined` where there is no such service
 * @throws os error of the manager
 */
export const queryService = (name: string): Promise<ServiceFacts | undefined> => serviceLane.run(() => query(name));

/** The manager's handles of one process are no matter for several threads at a time: under Wine they get lost. */
export const serviceLane = new Lane(1);

async function query(name: string): Promise<ServiceFacts | undefined> {
  const { result: manager, lastError: code } = await advapi32.OpenSCManagerW.async(null, null, SC_MANAGER_CONNECT);
  if (manager === 0n) throw withContext('No handle to service control manager', windowsErrorOf(code));
  try {
    const { result: service, lastError: missing } = await advapi32.OpenServiceW.async(manager, name, SERVICE_QUERY_CONFIG | SERVICE_QUERY_STATUS);
    if (service === 0n && missing === ERROR_SERVICE_DOES_NOT_EXIST) return undefined;
    if (service === 0n) throw withContext(`No handle to service ${name}`, windowsErrorOf(missing));
    try {
      return await factsOf(name, service);
    } finally {
      advapi32.CloseServiceHandle(service);
    }
  } finally {
    advapi32.CloseServiceHandle(manager);
  }
}

async function factsOf(name: string, service: Pointer): Promise<ServiceFacts> {
  const attempt = `failed to query service ${name}`;
  // The most that the calls give: 8 KiB, texts included.
  const [config, status, failure] = [Buffer.alloc(8192), Buffer.alloc(SERVICE_STATUS_PROCESS.size), Buffer.alloc(8192)];
  const needed: Out<number> = [0];
  const asked = await advapi32.QueryServiceConfigW.async(service, config, config.length, needed);
  if (asked.result === 0) throw withContext(attempt, windowsErrorOf(asked.lastError));
  const state = await advapi32.QueryServiceStatusEx.async(service, 0, status, status.length, needed);
  if (state.result === 0) throw withContext(attempt, windowsErrorOf(state.lastError));
  const { result: hasActions } = await advapi32.QueryServiceConfig2W.async(service, SERVICE_CONFIG_FAILURE_ACTIONS, failure, failure.length, needed);
  const preshutdown = Buffer.alloc(SERVICE_PRESHUTDOWN_INFO.size);
  const { result: hasLimit } = await advapi32.QueryServiceConfig2W.async(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, preshutdown, preshutdown.length, needed);
  const { dwStartType, lpBinaryPathName, lpServiceStartName } = readFields(QUERY_SERVICE_CONFIG, config);
  const { dwCurrentState, dwControlsAccepted } = readFields(SERVICE_STATUS_PROCESS, status);
  return {
    start: startTypes[dwStartType] ?? 'manual',
    running: dwCurrentState === SERVICE_RUNNING,
    command: textWithin(config, lpBinaryPathName),
    account: textWithin(config, lpServiceStartName),
    ...(hasActions === 0 ? {} : { recovery: readFields(SERVICE_FAILURE_ACTIONS, failure).cActions }),
    accepted: dwControlsAccepted,
    ...(hasLimit === 0 ? {} : { preshutdownMs: readFields(SERVICE_PRESHUTDOWN_INFO, preshutdown).dwPreshutdownTimeout }),
  };
}

/** A text that lies in the same memory as the structure that has its address. */
const textWithin = (memory: Buffer, address: Pointer): string => textOf(bytesWithin(memory, address) ?? Buffer.alloc(0));

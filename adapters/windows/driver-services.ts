// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../core/errors/agent-error.ts';
import type { DriverService } from '../../core/ports/host.ts';
import { advapi32, ENUM_SERVICE_STATUS_PROCESS, QUERY_SERVICE_CONFIG } from './bindings/advapi32.ts';
import { windowsDirectory } from './dll.ts';
import { driverFile } from './driver-image.ts';
import { fileVersion } from './file-version.ts';
import type { Out, Pointer } from './koffi.ts';
import { bytesWithin, readFields, textOf } from './layout.ts';
import { serviceLane } from './service-query.ts';
import { windowsErrorOf } from './system-error.ts';

const SC_MANAGER_CONNECT = 1;
const SC_MANAGER_ENUMERATE_SERVICE = 4;
const SERVICE_QUERY_CONFIG = 1;
const SC_ENUM_PROCESS_INFO = 0;
const SERVICE_DRIVER = 0xb;
const SERVICE_STATE_ALL = 3;
const ERROR_MORE_DATA = 234;

/** The most that one call gives. */
const pieceSize = 256 * 1024;

/** By the numbers of SERVICE_STOPPED and the following. */
const states = ['unknown', 'stopped', 'start-pending', 'stop-pending', 'running', 'continue-pending', 'pause-pending', 'paused'] as const;

interface Listed {
  readonly name: string;
  readonly status: DriverService['status'];
  /** As the service has it; `undefined` where it may not be asked. */
  readonly image: string | undefined;
}

/** Drivers as services, with what their files say of themselves. @throws os error of the service manager */
export async function driverServices(): Promise<readonly DriverService[]> {
  const listed = await serviceLane.run(() => withManager(drivers));
  const windows = windowsDirectory();
  const services: DriverService[] = [];
  for (const { name, status, image } of listed) {
    const driverPath = image === undefined ? undefined : driverFile(image, name, windows);
    services.push({ name, ...(driverPath === undefined ? {} : { driverPath, ...await fileVersion(driverPath) }), status });
  }
  return services;
}

async function withManager<T>(use: (manager: Pointer) => Promise<T>): Promise<T> {
  const { result: manager, lastError: code } = await advapi32.OpenSCManagerW.async(null, null, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
  if (manager === 0n) throw withContext('No handle to service control manager', windowsErrorOf(code));
  try {
    return await use(manager);
  } finally {
    advapi32.CloseServiceHandle(manager);
  }
}

async function drivers(manager: Pointer): Promise<readonly Listed[]> {
  const found: Listed[] = [];
  const resume: Out<number> = [0];
  for (let more = true; more;) {
    const piece = Buffer.alloc(pieceSize);
    const [needed, count]: [Out<number>, Out<number>] = [[0], [0]];
    const { result, lastError: code } = await advapi32.EnumServicesStatusExW.async(
      manager, SC_ENUM_PROCESS_INFO, SERVICE_DRIVER, SERVICE_STATE_ALL, piece, piece.length, needed, count, resume, null);
    more = result === 0;
    if (more && code !== ERROR_MORE_DATA) throw withContext('failed to list services', windowsErrorOf(code));
    // A piece without a service would come for ever.
    if (count[0] === 0) break;
    for (let index = 0; index < count[0]; index += 1) {
      const { lpServiceName, 'ServiceStatusProcess.dwCurrentState': state } = readFields(ENUM_SERVICE_STATUS_PROCESS, piece, index * ENUM_SERVICE_STATUS_PROCESS.size);
      const name = textOf(bytesWithin(piece, lpServiceName) ?? Buffer.alloc(0));
      found.push({ name, status: states[state] ?? 'unknown', image: await imageOf(manager, name) });
    }
  }
  return found;
}

async function imageOf(manager: Pointer, name: string): Promise<string | undefined> {
  const { result: service } = await advapi32.OpenServiceW.async(manager, name, SERVICE_QUERY_CONFIG);
  if (service === 0n) return undefined;
  try {
    // The most that the call gives: 8 KiB, texts included.
    const config = Buffer.alloc(8192);
    const { result } = await advapi32.QueryServiceConfigW.async(service, config, config.length, [0]);
    if (result === 0) return undefined;
    const text = bytesWithin(config, readFields(QUERY_SERVICE_CONFIG, config).lpBinaryPathName);
    return text === undefined ? '' : textOf(text);
  } finally {
    advapi32.CloseServiceHandle(service);
  }
}

// SPDX-License-Identifier: Apache-2.0
import { advapi32, SERVICE_STATUS, SERVICE_TABLE_ENTRY } from './bindings/advapi32.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { keepAlive, koffi, type Pointer } from './koffi.ts';
import { structure, wide } from './layout.ts';
import { serviceName } from './service-identity.ts';
import { lastWindowsError } from './system-error.ts';
import { waitFor } from './wait.ts';

const SERVICE_WIN32_OWN_PROCESS = 0x10;
const states = { stopped: 1, starting: 2, stopping: 3, running: 4 } as const;
const SERVICE_ACCEPT_STOP = 1;
const SERVICE_ACCEPT_SHUTDOWN = 4;
/** Told before the others are: the disks that a thaw needs, and VSS, are still there. */
const SERVICE_ACCEPT_PRESHUTDOWN = 0x100;
const controls = { stop: 1, interrogate: 4, shutdown: 5, preshutdown: 15 } as const;
const ERROR_CALL_NOT_IMPLEMENTED = 120;
const ERROR_SERVICE_SPECIFIC_ERROR = 1066;

/** For opening the channel, and for a thaw before the end: the manager waits so long for the next word. */
const hintMs = 60_000;

/** What the agent is told by the service manager. */
export interface ServiceLife {
  /** To be called once hosts can come. */
  readonly ready: () => void;
}

/**
 * Lives as a service: runs `body` when the manager starts it, asks this process to end, as SIGTERM does, when the manager
 * stops it, and tells the manager how it went. `undefined` where no service manager has started this process.
 *
 * The dispatcher blocks a thread for the life of the service: one of its own, not libuv's. Handlers are called on that
 * thread and wait for this one; none does more than to take note.
 */
export async function liveAsService<T extends object>(body: (life: ServiceLife) => Promise<T>, statusOf: (result: T) => number): Promise<T | undefined> {
  const k = koffi();
  const main = Promise.withResolvers<void>();
  let manager: Pointer | undefined;
  let state: number = states.starting;
  const tell = (next: number, exitCode = 0): void => {
    state = next;
    const pending = next === states.starting || next === states.stopping;
    advapi32.SetServiceStatus(manager ?? 0n, structure(SERVICE_STATUS, {
      dwServiceType: SERVICE_WIN32_OWN_PROCESS,
      dwCurrentState: next,
      dwControlsAccepted: next === states.running ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN : 0,
      dwWin32ExitCode: exitCode === 0 ? 0 : ERROR_SERVICE_SPECIFIC_ERROR,
      dwServiceSpecificExitCode: exitCode,
      dwWaitHint: pending ? hintMs : 0,
    }));
  };
  const handler = k.register((control: number) => {
    if (control === controls.interrogate) return 0;
    if (control !== controls.stop && control !== controls.shutdown && control !== controls.preshutdown) return ERROR_CALL_NOT_IMPLEMENTED;
    // Said at once; what it takes comes after this answer.
    setImmediate(() => {
      if (state === states.running) tell(states.stopping);
      process.emit('SIGTERM', 'SIGTERM');
    });
    return 0;
  }, k.pointer(k.proto(null, 'uint32_t', ['uint32_t', 'uint32_t', 'void *', 'void *'])));
  const serviceMain = k.register(() => {
    manager = advapi32.RegisterServiceCtrlHandlerExW(serviceName, handler, null);
    tell(states.starting);
    main.resolve();
  }, k.pointer(k.proto(null, 'void', ['uint32_t', 'void *'])));

  const name = wide(serviceName);
  const table = Buffer.concat([structure(SERVICE_TABLE_ENTRY, { lpServiceName: k.address(name), lpServiceProc: serviceMain }), structure(SERVICE_TABLE_ENTRY)]);
  const dispatcher = startDispatcher(table);
  const alive = setInterval(() => {}, 0x7fff_ffff);
  try {
    // It returns at once where this process was not started by the manager, and else when the service is over.
    const over = waitFor(dispatcher);
    const begun = await Promise.race([main.promise.then(() => true), over.signalled.then(() => false)]);
    keepAlive(name, table);
    if (!begun) return undefined;
    const result = await body({ ready: () => tell(states.running) });
    tell(states.stopped, statusOf(result));
    over.cancel();
    return result;
  } catch (error) {
    tell(states.stopped, 1);
    throw error;
  } finally {
    clearInterval(alive);
  }
}

/** A thread whose whole work is StartServiceCtrlDispatcher: its one parameter and its result are those of a thread. */
function startDispatcher(table: Buffer): Pointer {
  const library = kernel32.LoadLibraryExW('advapi32.dll', 0n, 0x800);
  const start = kernel32.GetProcAddress(library, 'StartServiceCtrlDispatcherW');
  const thread = kernel32.CreateThread(null, 0, start, table, 0, [0]);
  if (thread === 0n) throw lastWindowsError('CreateThread');
  return thread;
}

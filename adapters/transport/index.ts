import { AgentError } from '../../core/errors/agent-error.ts';
import type { Log, Transport } from '../../core/ports/index.ts';
import type { ActivatedSocket } from './socket-activation.ts';

export { activatedSocket, type ActivatedSocket } from './socket-activation.ts';

/** Methods of `--method`, and where each goes without `--path`. */
const defaultPaths = {
  'virtio-serial': '/dev/virtio-ports/org.qemu.guest_agent.0',
  'isa-serial': '/dev/ttyS0',
  'unix-listen': undefined,
  'vsock-listen': undefined,
} as const satisfies Readonly<Record<string, string | undefined>>;

export type TransportMethod = keyof typeof defaultPaths;

export const transportMethods = Object.keys(defaultPaths) as readonly TransportMethod[];

export interface TransportSettings {
  /** `virtio-serial` where absent. */
  readonly method?: string;
  readonly path?: string;
  /** `--retry-path`. */
  readonly retry?: boolean;
  /** CIDs that may talk on vsock; the host's where absent. */
  readonly vsockAllow?: readonly number[];
  /** Replaces method and path. */
  readonly activated?: ActivatedSocket;
  readonly log: Log;
}

/** @throws failed error `unsupported channel method/type: NAME` */
export function transportMethod(name: string): TransportMethod {
  if (Object.hasOwn(defaultPaths, name)) return name as TransportMethod;
  throw AgentError.failed(`unsupported channel method/type: ${name}`);
}

/** @throws failed error `must specify a path for this channel` where the method has none of its own */
export function transportPath(method: TransportMethod, path: string | undefined): string {
  const chosen = path === undefined || path === '' ? defaultPaths[method] : path;
  if (chosen === undefined) throw AgentError.failed('must specify a path for this channel');
  return chosen;
}

/**
 * The transport that the settings ask for, not yet open: `open` touches the device. Only the chosen method is loaded.
 * @throws failed error of `transportMethod` or `transportPath`, or for an unusable vsock address
 */
export async function createTransport({
  method: name = 'virtio-serial',
  path: given,
  retry = false,
  vsockAllow,
  activated,
  log,
}: TransportSettings): Promise<Transport> {
  if (activated !== undefined) return socketTransport(activated.socket, log);
  const method = transportMethod(name);
  if (process.platform === 'win32') return windowsTransport(method, given, retry, log);
  const path = transportPath(method, given);
  const create = await loaders[method](path, { log, vsockAllow });
  if (!retry) return create();
  const { RetryingTransport } = await import('./retry.ts');
  return new RetryingTransport({ create, log, ...(method === 'vsock-listen' || method === 'unix-listen' ? {} : { path }) });
}

interface LoaderOptions {
  readonly log: Log;
  readonly vsockAllow: readonly number[] | undefined;
}

/** Each gives a constructor: a channel that is waited for is made anew for every attempt. */
const loaders: Readonly<Record<TransportMethod, (path: string, options: LoaderOptions) => Promise<() => Transport>>> = {
  'virtio-serial': async (path) => {
    const { VirtioSerial } = await import('./virtio-serial.ts');
    return () => new VirtioSerial(path);
  },
  'isa-serial': async (path, { log }) => {
    const { IsaSerial } = await import('./isa-serial.ts');
    return () => new IsaSerial(path, { log });
  },
  'unix-listen': async (path, { log }) => {
    const { unixListen } = await import('./unix-listen.ts');
    const { SocketTransport } = await import('./socket-transport.ts');
    return () => new SocketTransport(unixListen(path), { log });
  },
  'vsock-listen': async (path, { log, vsockAllow }) => {
    const { parseVsockAddress } = await import('./vsock-address.ts');
    const { vsockListen } = await import('./vsock-listen.ts');
    const { SocketTransport } = await import('./socket-transport.ts');
    const address = parseVsockAddress(path);
    return () => new SocketTransport(vsockListen(address, vsockAllow), { log });
  },
};

/** There are serial devices only, and no file whose appearance could be watched: retrying is a matter of time. */
async function windowsTransport(method: TransportMethod, path: string | undefined, retry: boolean, log: Log): Promise<Transport> {
  if (method !== 'virtio-serial' && method !== 'isa-serial') throw AgentError.failed(`unsupported channel method/type: ${method}`);
  const { WindowsTransport } = await import('../windows/module.ts');
  const create = (): Transport => new WindowsTransport(method, path);
  if (!retry) return create();
  const { RetryingTransport } = await import('./retry.ts');
  return new RetryingTransport({ create, log });
}

async function socketTransport(socket: ActivatedSocket['socket'], log: Log): Promise<Transport> {
  const { SocketTransport } = await import('./socket-transport.ts');
  return new SocketTransport(socket, { log });
}

// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import type { Channels, KeptOfChannel, Log, Transport } from '../../core/ports/index.ts';
import type { ActivatedSocket } from '../linux/channels/socket-activation.ts';

export { activatedSocket, type ActivatedSocket } from '../linux/channels/socket-activation.ts';

export interface TransportSettings {
  /** `virtio-serial` where absent. */
  readonly method?: string;
  readonly path?: string;
  /** `--retry-path`. */
  readonly retry?: boolean;
  /** CIDs that may talk on vsock; the host's where absent. */
  readonly vsockAllow?: readonly number[];
  readonly log: Log;
  /** What outlives the agent, where anything does. */
  readonly kept?: KeptOfChannel | undefined;
  /** With `retry`: told each time that the channel is opened, and why it is not. */
  readonly channelIs?: (state: string) => void;
}

/** The path of a channel: the one given, or the method's own. @throws failed error for an unknown method, or one that needs a path */
export function channelPath({ methods }: Channels, method: string, given: string | undefined): string {
  const known = methods.find(({ name }) => name === method);
  if (known === undefined) {
    throw AgentError.failed(`unsupported channel method/type: ${method} (use one of ${methods.map(({ name }) => name).join(', ')})`);
  }
  const path = given === undefined || given === '' ? known.defaultPath : given;
  if (path === undefined) throw AgentError.failed('must specify a path for this channel');
  return path;
}

/**
 * The transport that the settings ask for, not yet open: `open` touches the device.
 * @throws failed error of `channelPath`, or for a path that can never be right
 */
export async function createTransport(
  channels: Channels,
  { method = 'virtio-serial', path: given, retry = false, vsockAllow, log, kept, channelIs }: TransportSettings,
): Promise<Transport> {
  const path = channelPath(channels, method, given);
  const create = (): Promise<Transport> => 
    channels.create(method, path, { log, ...(vsockAllow === undefined ? {} : { vsockAllow }), ...(kept === undefined ? {} : { kept }) });
  const first = await create();
  if (!retry) return first;
  const { RetryingTransport } = await import('./retry.ts');
  return new RetryingTransport({
    first,
    create,
    appears: async (signal) => (await channels.appears?.(method, path, signal)) ?? false,
    log,
    ...(channelIs === undefined ? {} : { channelIs }),
  });
}

/** On the socket of the service manager, which replaces method and path. */
export async function activatedTransport({ socket }: ActivatedSocket, log: Log, kept?: KeptOfChannel): Promise<Transport> {
  const { SocketTransport } = await import('../linux/channels/socket-transport.ts');
  return new SocketTransport(socket, { log, ...(kept === undefined ? {} : { kept }) });
}

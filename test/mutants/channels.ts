// SPDX-License-Identifier: Apache-2.0
import { AgentError, type Backend } from '../../kit/index.ts';
import { planted, replaced, type Mutant } from './mutant.ts';

type Channels = NonNullable<Backend['channels']>;
type Transport = Awaited<ReturnType<Channels['create']>>;
type Connection = Parameters<Parameters<Transport['open']>[0]>[0];

const group = 'channels';

/** Every transport behaves a little differently. */
const everyTransport = (change: (transport: Transport) => Partial<Record<keyof Transport, unknown>>) =>
  planted<Channels>(group, (channels) => ({ create: async (...rest: Parameters<Channels['create']>) => {
    const transport = await channels.create(...rest);
    return replaced(transport, change(transport));
  } }));

const everyConnection = (change: (connection: Connection) => Partial<Record<keyof Connection, unknown>>) =>
  everyTransport((transport) => ({ open: (connected: (connection: Connection) => void) =>
    transport.open((connection) => connected(replaced(connection, change(connection)))) }));

/** Faults of channels, planted in the sockets of Node. */
export const channelMutants: readonly Mutant[] = [
  {
    fault: 'a method is there once for each device', group, caughtBy: 'every method has a name, and no two the same',
    plant: planted<Channels>(group, ({ methods }) => ({ methods: [...methods, ...methods.slice(0, 1)] })),
  },
  {
    fault: 'closing what was never opened is an error', group, caughtBy: 'a transport that was never opened can be closed',
    plant: everyTransport(() => ({ close: () => Promise.reject(AgentError.failed('not open')) })),
  },
  {
    fault: 'text goes out as UTF-8', group, caughtBy: 'bytes of every value go both ways, in order',
    plant: everyConnection((connection) => ({ write: (bytes: Uint8Array | string) => connection.write(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes) })),
  },
  {
    fault: 'what a host leaves unread is held without end', group, caughtBy: 'a host that reads nothing holds the agent back, and it is told when there is room again',
    plant: everyConnection((connection) => ({ write: (bytes: Uint8Array | string) => connection.write(bytes) || true })),
  },
  {
    fault: 'pausing does nothing', group, caughtBy: 'what comes while delivery is paused comes afterwards',
    plant: everyConnection(() => ({ pause: () => undefined })),
  },
  {
    fault: 'a second end is an error', group, caughtBy: 'the end drops the hosts, can come twice, and is no loss of the channel',
    plant: everyTransport((transport) => {
      let ends = 0;
      return { close: async () => {
        ends += 1;
        if (ends > 1) throw AgentError.failed('not open');
        await transport.close();
      } };
    }),
  },
  {
    fault: 'the socket stays behind', group, caughtBy: 'it can be opened again afterwards',
    plant: planted<Channels>(group, (channels) => {
      const used = new Set<string>();
      return { create: async (...[method, path, options]: Parameters<Channels['create']>) => {
        if (used.has(path)) throw AgentError.failed('Address already in use');
        used.add(path);
        return channels.create(method, path, options);
      } };
    }),
  },
  {
    fault: 'a finding has no sentence', group, caughtBy: 'what stands in the way is told in findings, also of a path where nothing is',
    plant: planted<Channels>(group, () => ({ examine: async () => [{ subject: 'socket', verdict: 'bad', detail: '' }] })),
  },
  {
    fault: 'the wait for a device cannot be given up', group, caughtBy: 'the wait for a device that does not come ends when it is given up',
    plant: planted<Channels>(group, () => ({ appears: () => new Promise<never>(() => undefined) })),
  },
];

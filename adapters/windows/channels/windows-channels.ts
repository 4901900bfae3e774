// SPDX-License-Identifier: Apache-2.0
import type { Channels, Transport } from '../../../core/ports/index.ts';
import { channelMethods, type WindowsMethod } from '../../channels/methods.ts';
import { tabledChannels, type ChannelRow } from '../../channels/tabled-channels.ts';
import { parseVsockAddress } from '../../shared/vsock-address.ts';
import { WindowsTransport } from './device-transport.ts';
import { portArrives } from './port-arrival.ts';
import { VsockTransport } from './vsock/transport.ts';

const device = (method: Exclude<WindowsMethod, 'vsock-listen'>): ChannelRow => ({
  make: async (path): Promise<Transport> => new WindowsTransport(method, path),
  appears: (path, signal) => portArrives(method, path, signal),
});

/** The channels of Windows: serial devices, and vsock where its driver is. */
export const windowsChannels: Channels = tabledChannels(channelMethods.windows, {
  'virtio-serial': device('virtio-serial'),
  'isa-serial': device('isa-serial'),
  'vsock-listen': {
    make: async (path, { log, vsockAllow }) => new VsockTransport(parseVsockAddress(path), { log, ...(vsockAllow === undefined ? {} : { allowed: vsockAllow }) }),
  },
});

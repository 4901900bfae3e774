// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import type { Channels, Finding } from '../../../core/ports/index.ts';
import { channelMethods, type LinuxMethod } from '../../channels/methods.ts';
import { portableChannels } from '../../channels/portable-channels.ts';
import { tabledChannels } from '../../channels/tabled-channels.ts';

/** A device that was lost may still be there for a moment while the kernel takes it apart. */
async function deviceAppears(path: string, signal: AbortSignal): Promise<boolean> {
  if (existsSync(path)) return false;
  const { pathAppears } = await import('./path-appears.ts');
  await pathAppears(path, signal);
  return true;
}

const examine = (method: LinuxMethod) => async (path: string): Promise<readonly Finding[]> => {
  const { examineChannel } = await import('./examine-channel.ts');
  return examineChannel(method, path);
};

/** The channels of Linux, over the native addon. Only the chosen one is loaded. */
export const linuxChannels: Channels = tabledChannels(channelMethods.posix, {
  'virtio-serial': {
    async make(path, options) {
      const { VirtioSerial } = await import('./virtio-serial.ts');
      return new VirtioSerial(path, options);
    },
    appears: deviceAppears,
    examine: examine('virtio-serial'),
  },
  'isa-serial': {
    async make(path, options) {
      const { IsaSerial } = await import('./isa-serial.ts');
      return new IsaSerial(path, options);
    },
    appears: deviceAppears,
    examine: examine('isa-serial'),
  },
  'unix-listen': {
    async make(path, options) {
      const { log } = options;
      const { addonProblem } = await import('../native.ts');
      const problem = addonProblem();
      if (problem !== undefined) {
        // A backend of a third party may need nothing of it.
        log.warning(`${problem}. The socket is served by Node alone`);
        return portableChannels.create('unix-listen', path, { log });
      }
      const { unixListen } = await import('./unix-listen.ts');
      const { SocketTransport } = await import('./socket-transport.ts');
      return new SocketTransport(unixListen(path), options);
    },
    examine: examine('unix-listen'),
  },
  'vsock-listen': {
    async make(path, options) {
      const { parseVsockAddress } = await import('../../shared/vsock-address.ts');
      const { vsockListen } = await import('./vsock-listen.ts');
      const { SocketTransport } = await import('./socket-transport.ts');
      return new SocketTransport(vsockListen(parseVsockAddress(path), options.vsockAllow), options);
    },
    examine: examine('vsock-listen'),
  },
});

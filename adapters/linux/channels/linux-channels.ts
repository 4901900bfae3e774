import { existsSync } from 'node:fs';
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { ChannelOptions, Channels, Transport } from '../../../core/ports/index.ts';
import { portableChannels } from '../../channels/portable-channels.ts';

/** How one method makes its transport. Only the chosen one is loaded. */
type Maker = (path: string, options: ChannelOptions) => Promise<Transport>;

const makers: Readonly<Record<string, Maker>> = {
  'virtio-serial': async (path, { log }) => {
    const { VirtioSerial } = await import('./virtio-serial.ts');
    return new VirtioSerial(path, { log });
  },
  'isa-serial': async (path, { log }) => {
    const { IsaSerial } = await import('./isa-serial.ts');
    return new IsaSerial(path, { log });
  },
  'unix-listen': async (path, { log }) => {
    const { addonProblem } = await import('../native.ts');
    const problem = addonProblem();
    if (problem !== undefined) {
      // A backend of a third party may need nothing of it.
      log.warning(`${problem}. The socket is served by Node alone`);
      return portableChannels.create('unix-listen', path, { log });
    }
    const { unixListen } = await import('./unix-listen.ts');
    const { SocketTransport } = await import('./socket-transport.ts');
    return new SocketTransport(unixListen(path), { log });
  },
  'vsock-listen': async (path, { log, vsockAllow }) => {
    const { parseVsockAddress } = await import('../../shared/vsock-address.ts');
    const { vsockListen } = await import('./vsock-listen.ts');
    const { SocketTransport } = await import('./socket-transport.ts');
    return new SocketTransport(vsockListen(parseVsockAddress(path), vsockAllow), { log });
  },
};

/** Methods whose path is a device that is plugged in and out. */
const devices: ReadonlySet<string> = new Set(['virtio-serial', 'isa-serial']);

/** The channels of Linux, over the native addon. */
export const linuxChannels: Channels = {
  methods: [
    { name: 'unix-listen' },
    { name: 'virtio-serial', defaultPath: '/dev/virtio-ports/org.qemu.guest_agent.0' },
    { name: 'isa-serial', defaultPath: '/dev/ttyS0' },
    { name: 'vsock-listen' },
  ],
  async create(method, path, options) {
    const make = Object.hasOwn(makers, method) ? makers[method] : undefined;
    if (make === undefined) throw AgentError.failed(`unsupported channel method/type: ${method}`);
    return make(path, options);
  },
  async appears(method, path, signal) {
    // A device that was lost may still be there for a moment while the kernel takes it apart.
    if (!devices.has(method) || existsSync(path)) return false;
    const { pathAppears } = await import('./path-appears.ts');
    await pathAppears(path, signal);
    return true;
  },
  async examine(method, path) {
    const { examineChannel } = await import('./examine-channel.ts');
    return examineChannel(method, path);
  },
};

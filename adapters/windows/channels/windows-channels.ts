import { AgentError } from '../../../core/errors/agent-error.ts';
import type { Channels } from '../../../core/ports/index.ts';
import { parseVsockAddress } from '../../shared/vsock-address.ts';
import { WindowsTransport } from './device-transport.ts';
import { portArrives } from './port-arrival.ts';
import { VsockTransport } from './vsock/transport.ts';

/** The channels of Windows: serial devices, and vsock where its driver is. */
export const windowsChannels: Channels = {
  methods: [
    { name: 'virtio-serial', defaultPath: '\\\\.\\Global\\org.qemu.guest_agent.0' },
    { name: 'isa-serial', defaultPath: 'COM1' },
    { name: 'vsock-listen' },
  ],
  async create(method, path, { log, vsockAllow }) {
    if (method === 'vsock-listen') return new VsockTransport(parseVsockAddress(path), { log, ...(vsockAllow === undefined ? {} : { allowed: vsockAllow }) });
    if (method !== 'virtio-serial' && method !== 'isa-serial') throw AgentError.failed(`unsupported channel method/type: ${method}`);
    return new WindowsTransport(method, path);
  },
  appears: (method, path, signal) => (method === 'virtio-serial' || method === 'isa-serial' ? portArrives(method, path, signal) : Promise.resolve(false)),
};

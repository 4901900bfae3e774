import { AgentError } from '../../core/errors/agent-error.ts';
import type { Channels } from '../../core/ports/index.ts';
import { portArrives } from './port-arrival.ts';
import { WindowsTransport } from './transport.ts';

/** The channels of Windows: serial devices. */
export const windowsChannels: Channels = {
  methods: [
    { name: 'virtio-serial', defaultPath: '\\\\.\\Global\\org.qemu.guest_agent.0' },
    { name: 'isa-serial', defaultPath: 'COM1' },
  ],
  create(method, path) {
    if (method !== 'virtio-serial' && method !== 'isa-serial') throw AgentError.failed(`unsupported channel method/type: ${method}`);
    return Promise.resolve(new WindowsTransport(method, path));
  },
  appears: (method, path, signal) => (method === 'virtio-serial' || method === 'isa-serial' ? portArrives(method, path, signal) : Promise.resolve(false)),
};

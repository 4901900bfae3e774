import { hostname, machine, release, type, version } from 'node:os';
import type { Host } from 'concierge-ga/kit';

export const host: Host = {
  hostName: { get: async () => hostname() },
  timeZone: {
    // Node counts minutes to the west, the port seconds to the east.
    get: async () => ({ offset: new Date().getTimezoneOffset() * -60 || 0 }),
  },
  osInformation: {
    get: async () => ({ id: 'template-os', name: type(), kernelRelease: release(), kernelVersion: version(), machine: machine() }),
  },
};

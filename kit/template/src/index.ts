import { defineBackend } from 'concierge-ga/kit';

import { clock } from './clock.ts';
import { files } from './files.ts';
import { host } from './host.ts';

export const backend = defineBackend({
  id: 'template-os',
  apiVersion: 1,
  // Say on which machines it is the right one.
  detects: () => process.platform !== 'win32',
  // What is listed here is brought by `load`, neither more nor less.
  capabilities: ['fileSystem.files', 'host.hostName', 'host.timeZone', 'host.osInformation'],
  load: () => ({ clock, host, fileSystem: { files } }),
});

// SPDX-License-Identifier: Apache-2.0
/** A backend of Concierge with what Node alone can do on any Unix: macOS, FreeBSD, Linux. It cannot freeze. */
import { defineBackend, type Backend } from 'concierge-ga/kit';

import { clock } from './clock.ts';
import { files } from './files.ts';
import { host } from './host.ts';
import { network } from './network.ts';
import { power } from './power.ts';
import { processes } from './processes.ts';
import { processors } from './processors.ts';
import { accounts } from './sessions.ts';

export const portableBackend = (): Backend => ({
  clock, processes, host, network, accounts, processors,
  fileSystem: { files },
  power: power(),
});

export const backend = defineBackend({
  id: 'portable',
  apiVersion: 1,
  detects: () => process.platform !== 'win32',
  capabilities: [
    'fileSystem.files', 'power.shutdown', 'network.interfaces', 'processes', 'accounts.sessions',
    'processors.statistics', 'processors.load', 'host.hostName', 'host.timeZone', 'host.osInformation',
  ],
  load: portableBackend,
});

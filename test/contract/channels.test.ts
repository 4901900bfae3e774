// SPDX-License-Identifier: Apache-2.0
/** The channels of this package, held to what a backend's own have to keep. */
import { describe, it } from 'vitest';

import { portableChannels } from '../../adapters/channels/portable-channels.ts';
import { linuxChannels } from '../../adapters/linux/channels/linux-channels.ts';
import { testBackend } from '../../kit/contract/index.ts';
import { subjectWith } from './channel-subject.ts';

if (process.platform === 'win32') describe('channels', () => it.skip('keep their contract (need a Unix)', () => {}));
else await testBackend('a socket of Node', subjectWith(portableChannels), { describe, it }, { only: ['channels'] });

if (process.platform === 'linux') await testBackend('a socket of the addon', subjectWith(linuxChannels), { describe, it }, { only: ['channels'] });

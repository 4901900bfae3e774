/** The channels of this package, held to what a backend's own have to keep. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';

import { portableChannels } from '../../adapters/transport/portable-channels.ts';
import { linuxChannels } from '../../adapters/transport/linux-channels.ts';
import type { Channels } from '../../core/ports/index.ts';
import { createFakeMachine, scratchOnDisk, testBackend, type ContractSubject } from '../../kit/index.ts';

const subjectWith = (channels: Channels) => async (): Promise<ContractSubject> => {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'cc-'));
  const path = join(scratchDirectory, 'socket');
  return {
    backend: { clock: createFakeMachine().backend.clock, channels },
    scratchDirectory,
    scratch: scratchOnDisk,
    knows: {
      channel: {
        method: 'unix-listen',
        path,
        connect: async () => {
          const socket = connect(path);
          await once(socket, 'connect');
          return socket;
        },
      },
    },
    safe: {},
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
};

if (process.platform === 'win32') describe('channels', () => it.skip('keep their contract (need a Unix)', () => {}));
else await testBackend('a socket of Node', subjectWith(portableChannels), { describe, it }, { only: ['channels'] });

if (process.platform === 'linux') await testBackend('a socket of the addon', subjectWith(linuxChannels), { describe, it }, { only: ['channels'] });
